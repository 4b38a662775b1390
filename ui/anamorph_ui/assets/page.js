// What the page does by itself: the slider between two pictures, and live conversion.
"use strict";

document.addEventListener("input", ({ target }) => {
  if (target instanceof HTMLElement && target.matches("[data-compare]")) {
    target.closest(".compare").style.setProperty("--cut", `${target.value}%`);
  }
});

let live = null; // the conversion that is running

document.addEventListener("click", async ({ target }) => {
  if (!(target instanceof HTMLElement) || !target.matches("[data-live-switch]")) return;
  const panel = target.closest("[data-live]");
  if (live) return live.end("Off.");
  target.disabled = true;
  try {
    live = await startLive(panel);
    target.textContent = "Stop";
  } catch (error) {
    say(panel, `It does not start: ${error.message || error}`);
  } finally {
    target.disabled = false;
  }
});

function say(panel, words) {
  panel.querySelector("[data-live-status]").textContent = words;
}

async function startLive(panel) {
  if (!navigator.mediaDevices) throw new Error("browsers give microphones to https and to this machine alone");
  say(panel, "Asking for the microphone…");
  const microphone = await navigator.mediaDevices.getUserMedia({
    audio: { echoCancellation: false, noiseSuppression: false, autoGainControl: true, channelCount: 1 },
  });
  const context = new AudioContext({ latencyHint: "interactive" });
  await context.audioWorklet.addModule("/anamorph/live-worklet.js");
  const node = new AudioWorkletNode(context, "live", { outputChannelCount: [1] });
  const query = new URLSearchParams({
    model: panel.querySelector("[data-live-model]").value,
    rate: context.sampleRate,
    gain_db: panel.querySelector("[data-live-gain]").value || 0,
  });
  const scheme = location.protocol === "https:" ? "wss" : "ws";
  const socket = new WebSocket(`${scheme}://${location.host}/v1/live?${query}`);
  socket.binaryType = "arraybuffer";
  const told = {};

  const end = (words) => {
    live = null;
    for (const track of microphone.getTracks()) track.stop();
    socket.close();
    context.close();
    panel.querySelector("[data-live-switch]").textContent = "Start";
    panel.querySelector("[data-live-level]").value = 0;
    say(panel, words);
  };

  node.port.onmessage = ({ data }) => {
    if (data.samples && socket.readyState === WebSocket.OPEN) socket.send(data.samples.buffer);
    if (data.level === undefined) return;
    panel.querySelector("[data-live-level]").value = data.level;
    const latency = data.behind + (context.outputLatency || 0) + context.baseLatency;
    const factor = told.real_time_factor;
    say(panel, `${Math.round(1000 * latency)} ms behind` +
      (told.latency ? ` (${Math.round(1000 * told.latency)} by design)` : "") +
      (factor === undefined ? "" : `; real-time factor ${factor.toFixed(2)}`) +
      `; ${data.gaps} gaps`);
  };
  await new Promise((resolve, reject) => {
    socket.onmessage = ({ data }) => {
      if (typeof data !== "string") return node.port.postMessage(data, [data]);
      Object.assign(told, JSON.parse(data));
      resolve(); // it tells the delay once the model is there; what is heard before would stay behind
    };
    socket.onclose = ({ reason }) => reject(new Error(reason || "the server does not answer"));
  }).catch((error) => {
    for (const track of microphone.getTracks()) track.stop();
    context.close();
    throw error;
  });
  socket.onclose = ({ reason }) => live && end(reason || "The server ended it.");
  context.createMediaStreamSource(microphone).connect(node).connect(context.destination);
  return { end };
}
