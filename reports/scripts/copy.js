"use strict";

/* A button beside each command that copies it; where the browser refuses, it selects it. */
(() => {
  const select = (code) => {
    const range = document.createRange();
    range.selectNodeContents(code);
    getSelection().removeAllRanges();
    getSelection().addRange(range);
  };

  document.querySelectorAll("pre.command").forEach((command) => {
    const code = command.querySelector("code");
    const button = document.createElement("button");
    Object.assign(button, { type: "button", className: "copy", textContent: "Copy" });
    button.setAttribute("aria-label", `Copy the command ${code.textContent.trim().slice(0, 80)}`);
    const say = (words) => {
      button.textContent = words;
      setTimeout(() => (button.textContent = "Copy"), 2000);
    };
    button.addEventListener("click", async () => {
      try {
        await navigator.clipboard.writeText(code.textContent);
        say("Copied");
      } catch {
        select(code);
        say(document.execCommand("copy") ? "Copied" : "Selected");
      }
    });
    const frame = document.createElement("div");
    frame.className = "command-frame";
    command.before(frame);
    frame.append(command, button);
  });
})();
