// On site: signatures on the screen, and photos made smaller before they are sent. The pages work without it.
"use strict";

// The signature: its lines are kept as whole numbers within the field that the canvas declares.
for (const pad of document.querySelectorAll("[data-pad]")) {
  const canvas = pad.querySelector("canvas");
  const field = pad.parentElement.querySelector("input[type=hidden]");
  const pen = canvas.getContext("2d");
  let strokes = [];
  try {
    strokes = JSON.parse(field.value || "[]");
  } catch {
    // The text in the field is not a signature.
  }
  const draw = () => {
    pen.clearRect(0, 0, canvas.width, canvas.height);
    Object.assign(pen, { lineWidth: 5, lineCap: "round", lineJoin: "round", strokeStyle: getComputedStyle(canvas).color });
    for (const stroke of strokes) {
      pen.beginPath();
      stroke.forEach(([x, y], at) => (at ? pen.lineTo(x, y) : pen.moveTo(x, y)));
      pen.stroke();
    }
  };
  const keep = () => {
    field.value = strokes.length ? JSON.stringify(strokes) : "";
    // A signature on the screen replaces a picture of one.
    const picture = field.form.elements["protocol.signature_photo"];
    if (picture && strokes.length) picture.checked = false;
    field.dispatchEvent(new Event("input", { bubbles: true }));
  };
  const within = (value, most) => Math.min(Math.max(Math.round(value), 0), most);
  const point = (event) => {
    const box = canvas.getBoundingClientRect();
    return [
      within(((event.clientX - box.left) / box.width) * canvas.width, canvas.width),
      within(((event.clientY - box.top) / box.height) * canvas.height, canvas.height),
    ];
  };
  let current = null;
  canvas.addEventListener("pointerdown", (event) => {
    if (!event.isPrimary) return;
    event.preventDefault();
    canvas.setPointerCapture(event.pointerId);
    current = [point(event)];
    strokes.push(current);
  });
  canvas.addEventListener("pointermove", (event) => {
    if (!current) return;
    const [x, y] = point(event);
    const [lastX, lastY] = current[current.length - 1];
    if (Math.abs(x - lastX) + Math.abs(y - lastY) < 4) return;
    current.push([x, y]);
    draw();
  });
  const end = () => {
    if (!current) return;
    current = null;
    keep();
  };
  canvas.addEventListener("pointerup", end);
  canvas.addEventListener("pointercancel", end);
  pad.querySelector("button").addEventListener("click", () => {
    strokes = [];
    draw();
    keep();
  });
  pad.hidden = false;
  draw();
}

// A chosen photo is made smaller, which a slow line needs, and is sent at once.
const LONGEST = 2048;
for (const field of document.querySelectorAll("input[data-picture]")) {
  const button = field.form.querySelector("button[type=submit]");
  button.hidden = true;
  field.addEventListener("change", async () => {
    const [file] = field.files;
    if (!file) return;
    try {
      const picture = await createImageBitmap(file, { imageOrientation: "from-image" });
      const scale = Math.min(1, LONGEST / Math.max(picture.width, picture.height));
      const canvas = document.createElement("canvas");
      canvas.width = Math.max(1, Math.round(picture.width * scale));
      canvas.height = Math.max(1, Math.round(picture.height * scale));
      canvas.getContext("2d").drawImage(picture, 0, 0, canvas.width, canvas.height);
      const smaller = await new Promise((done) => canvas.toBlob(done, "image/jpeg", 0.85));
      if (smaller && smaller.size < file.size) {
        const files = new DataTransfer();
        files.items.add(new File([smaller], "photo.jpg", { type: "image/jpeg" }));
        field.files = files.files;
      }
    } catch {
      // The server reads the file as it is, or says why it cannot.
    }
    field.form.requestSubmit();
  });
}
