"use strict";
// A button per example; without a clipboard (a page that is not served over HTTPS) there is none.
if (navigator.clipboard) {
  for (const button of document.querySelectorAll(".code button")) {
    button.hidden = false;
    button.addEventListener("click", async () => {
      await navigator.clipboard.writeText(button.parentElement.querySelector("code").textContent);
      button.textContent = "Copied";
      setTimeout(() => { button.textContent = "Copy"; }, 1500);
    });
  }
}
