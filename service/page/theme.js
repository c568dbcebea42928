// Theme: applies the stored choice of light or dark before the first paint; without one the system's holds.
(() => {
  try {
    const chosen = localStorage.getItem("almanac.theme");
    if (chosen === "dark" || chosen === "light") document.documentElement.dataset.theme = chosen;
  } catch {
    // storage is switched off: the system's theme holds
  }
})();
