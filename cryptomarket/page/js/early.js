// Before anything is drawn: the remembered look and language, so that nothing flashes.
(() => {
  const root = document.documentElement;
  const remembered = (name) => {
    try {
      return localStorage.getItem(`cryptomarket.${name}`);
    } catch {
      return null; // a browser that remembers nothing
    }
  };
  const theme = remembered("theme");
  if (theme === "light" || theme === "dark") root.dataset.theme = theme;
  const language = remembered("language") ?? navigator.language.slice(0, 2);
  root.lang = language === "ru" ? "ru" : "en";
})();
