// The search runs in a worker, and browsers start none for a page that was opened from the disk.
// There, and only there, it runs in a hidden frame instead. (The theme's own stand-in for this
// would be loaded from the net; it leaves the matter to a script with this one's name.)
if (location.protocol === "file:") {
  window.Worker = class extends EventTarget {
    constructor(url) {
      super();
      const frame = document.createElement("iframe");
      frame.hidden = true;
      frame.srcdoc =
        "<script>self.postMessage = (data) => self.answer(data)</script>" +
        `<script src="${url}"></script>`;
      this.inside = new Promise((resolve) => {
        frame.onload = () => {
          frame.contentWindow.answer = (data) => this.tell(this, data);
          resolve(frame.contentWindow);
        };
      });
      document.body.append(frame);
    }

    postMessage(data) {
      this.inside.then((inside) => this.tell(inside, data));
    }

    tell(whom, data) {
      whom.dispatchEvent(new MessageEvent("message", { data }));
    }
  };
}
