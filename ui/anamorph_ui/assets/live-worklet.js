// Passes what the microphone hears on in blocks, and plays what comes back.
"use strict";

const BLOCK = 0.01; // seconds
const CUSHION = 0.05; // seconds that must be there before playing begins, or begins again
const MOST = 0.2; // seconds that may wait; what is older is left out, or it would stay behind for ever
const TOLD_EVERY = 0.25; // seconds

class Live extends AudioWorkletProcessor {
  constructor() {
    super();
    this.heard = []; // of the block that is being filled
    this.held = 0;
    this.waiting = []; // what came back and was not played
    this.left = 0; // samples of it
    this.taken = 0; // samples from the microphone
    this.played = 0; // samples of what came back
    this.gaps = 0;
    this.playing = false;
    this.peak = 0;
    this.next = 0;
    this.port.onmessage = ({ data }) => {
      const samples = new Float32Array(data);
      this.waiting.push(samples);
      this.left += samples.length;
    };
  }

  process([input], [output]) {
    if (input.length) this.hear(input[0]);
    this.play(output[0]);
    if (currentTime >= this.next) {
      this.next = currentTime + TOLD_EVERY;
      this.port.postMessage({
        level: this.peak,
        behind: (this.taken - this.played) / sampleRate,
        gaps: this.gaps,
      });
      this.peak = 0;
    }
    return true;
  }

  hear(samples) {
    this.taken += samples.length;
    for (const sample of samples) this.peak = Math.max(this.peak, Math.abs(sample));
    this.heard.push(samples.slice());
    this.held += samples.length;
    if (this.held < BLOCK * sampleRate) return;
    const block = new Float32Array(this.held);
    let at = 0;
    for (const piece of this.heard) {
      block.set(piece, at);
      at += piece.length;
    }
    this.heard = [];
    this.held = 0;
    this.port.postMessage({ samples: block }, [block.buffer]);
  }

  skip(samples) {
    this.played += samples;
    this.left -= samples;
    while (samples > 0) {
      const first = this.waiting.shift();
      if (first.length > samples) this.waiting.unshift(first.subarray(samples));
      samples -= first.length;
    }
  }

  play(output) {
    if (this.left > MOST * sampleRate) this.skip(this.left - Math.round(CUSHION * sampleRate));
    if (!this.playing && this.left < CUSHION * sampleRate) return;
    this.playing = true;
    let at = 0;
    while (at < output.length && this.waiting.length) {
      const first = this.waiting[0];
      const piece = first.subarray(0, output.length - at);
      output.set(piece, at);
      at += piece.length;
      if (piece.length === first.length) this.waiting.shift();
      else this.waiting[0] = first.subarray(piece.length);
    }
    this.played += at;
    this.left -= at;
    if (at < output.length) {
      this.gaps += 1;
      this.playing = false;
    }
  }
}

registerProcessor("live", Live);
