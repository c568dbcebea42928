// Theme: sets light or dark before the first paint: the stored choice, else that of the system, also when it changes.
(() => {
  const system = matchMedia("(prefers-color-scheme: dark)");
  function apply() {
    let chosen = null;
    try {
      chosen = localStorage.getItem("almanac.theme");
    } catch {
      // storage is switched off: the system's theme holds
    }
    document.documentElement.dataset.theme = chosen ?? (system.matches ? "dark" : "light");
  }
  system.addEventListener("change", apply);
  apply();
})();
