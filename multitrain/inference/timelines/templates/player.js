"use strict";
/* The video, the line over the curves and the answers of the moment, kept together. */
function attach(root, data) {
  const video = root.querySelector("video");
  const cursors = root.querySelectorAll("svg.panel .cursor");
  const lists = root.querySelectorAll("ol.now");
  let shown = -1;

  function nearest(time) {
    let low = 0, high = data.middles.length - 1;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((data.middles[middle] + data.middles[middle + 1]) / 2 < time) low = middle + 1; else high = middle;
    }
    return low;
  }

  function show(time) {
    const part = Math.min(Math.max(time / data.seconds, 0), 1);
    const x = (data.left + (data.right - data.left) * part).toFixed(2);
    for (const line of cursors) { line.setAttribute("x1", x); line.setAttribute("x2", x); }
    const moment = nearest(time);
    if (moment === shown) return;
    shown = moment;
    data.datasets.forEach((its, number) => {
      [...lists[number].children].forEach((item, rank) => {
        const best = its.top[moment][rank];
        item.hidden = best === undefined;
        if (item.hidden) return;
        item.querySelector(".label").textContent = its.labels[best[0]];
        item.querySelector(".share").textContent = (100 * best[1]).toFixed(1) + " %";
        item.querySelector(".bar").style.width = 100 * best[1] + "%";
      });
    });
  }

  function follow() {
    show(video.currentTime);
    if (!video.paused && !video.ended) requestAnimationFrame(follow);
  }

  for (const panel of root.querySelectorAll("svg.panel")) {
    panel.addEventListener("click", (event) => {
      const place = panel.getBoundingClientRect();
      const x = (event.clientX - place.left) / place.width * panel.viewBox.baseVal.width;
      const part = Math.min(Math.max((x - data.left) / (data.right - data.left), 0), 1);
      const time = part * data.seconds;
      show(time);
      if (video.readyState > 0) video.currentTime = time;
    });
  }
  for (const name of ["play", "seeking", "seeked", "timeupdate"]) video.addEventListener(name, follow);
  const failed = () => { root.querySelector(".unplayable").hidden = false; };
  video.addEventListener("error", failed);
  if (video.error) failed();
  show(0);
}
