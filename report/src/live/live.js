// Puts each picture that the server sends in the place of the one before. The last one stays.
"use strict";
const picture = document.getElementById("picture");
const lost = document.getElementById("lost");
const events = new EventSource("/events");
const show = (event) => {
  lost.hidden = true;
  picture.innerHTML = JSON.parse(event.data);
};
events.addEventListener("picture", show);
events.addEventListener("last", (event) => {
  show(event);
  events.close();
});
events.addEventListener("error", () => {
  lost.hidden = false;
});
