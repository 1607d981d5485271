"use strict";
/* Sends a video, shows how far it is, and then the answers and the timeline. */
const element = (id) => document.getElementById(id);
const limit = Number(document.body.dataset.limit);
let busy = false, address = null;

function say(message) {
  element("error").textContent = message;
  element("error").hidden = !message;
}

function stage(text, done) {
  element("working").hidden = false;
  element("stage").textContent = text;
  if (done === null) element("done").removeAttribute("value"); else element("done").value = done;
}

function show(file, event) {
  const result = element("result");
  result.innerHTML = event.answers + event.panels;  // made and escaped by the server
  const title = document.createElement("h2");
  title.textContent = file.name;
  result.prepend(title);
  if (address) URL.revokeObjectURL(address);
  address = URL.createObjectURL(file);
  result.querySelector("video").src = address;
  attach(result, event.data);
}

/* Each line of the response is one event. */
async function lines(response, take) {
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) break;
    const parts = (rest + value).split("\n");
    rest = parts.pop();
    for (const part of parts) take(JSON.parse(part));
  }
}

async function recognise(file) {
  if (busy) return say("One video at a time: wait for the answer.");
  say("");
  element("result").replaceChildren();
  if (file.size > limit) return say(`${file.name} has ${(file.size / 1e6).toFixed(1)} MB; at most ${(limit / 1e6).toFixed(0)} MB are taken.`);
  if (!file.size) return say(`${file.name} is empty.`);
  busy = true;
  let answered = false;
  stage("Sending the video", null);
  try {
    const response = await fetch("recognise", { method: "POST", body: file });
    await lines(response, (event) => {
      if (event.stage) return stage(event.stage, event.done);
      answered = true;
      if (event.error) say(`${file.name}: ${event.error}`); else show(file, event);
    });
    if (!answered) say("The answer broke off: is the program still running?");
  } catch (error) {
    say("The program that runs this page does not answer: is it still running?");
  }
  element("working").hidden = true;
  busy = false;
}

element("file").addEventListener("change", () => {
  const [file] = element("file").files;
  if (file) recognise(file);
  element("file").value = "";
});
for (const name of ["dragenter", "dragover"]) element("drop").addEventListener(name, (event) => {
  event.preventDefault();
  element("drop").classList.add("over");
});
for (const name of ["dragleave", "drop"]) element("drop").addEventListener(name, () => element("drop").classList.remove("over"));
element("drop").addEventListener("drop", (event) => {
  event.preventDefault();
  const files = event.dataTransfer.files;
  if (files.length === 1) recognise(files[0]); else say("Drop one video file.");
});
for (const name of ["dragover", "drop"]) window.addEventListener(name, (event) => event.preventDefault());
