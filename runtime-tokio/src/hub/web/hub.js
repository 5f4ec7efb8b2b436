// Keeps the overview up to date without a reload. Without scripts the page works the same, by reloading it.
"use strict";

const INTERVAL = 3000;

async function refresh() {
  const main = document.getElementById("main");
  try {
    const response = await fetch("/", { redirect: "manual" });
    if (!response.ok) return;
    const page = new DOMParser().parseFromString(await response.text(), "text/html");
    const fresh = page.getElementById("main");
    if (!fresh || fresh.innerHTML === main.innerHTML) return;
    const focused = document.activeElement && document.activeElement.id;
    main.replaceChildren(...fresh.childNodes);
    if (focused) document.getElementById(focused)?.focus();
  } catch {
    // The hub is out of reach; the next round tries again.
  }
}

if (location.pathname === "/") setInterval(refresh, INTERVAL);
