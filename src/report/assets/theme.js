// The button for the colours: as the system, light, dark.

const THEMES = [
  { name: '', label: 'Auto', spoken: 'as the system' },
  { name: 'light', label: 'Light', spoken: 'light' },
  { name: 'dark', label: 'Dark', spoken: 'dark' },
];
const THEME_KEY = 'websocket-skill-theme';

/** Applies the remembered theme and switches on click; calls `changed` after each change. */
function startTheme(changed = () => {}) {
  const apply = (name) => {
    const theme = THEMES.find((one) => one.name === name) ?? THEMES[0];
    document.documentElement.dataset.theme = theme.name;
    $('theme').textContent = theme.label;
    $('theme').setAttribute('aria-label', `Colours: ${theme.spoken}`);
    changed();
  };
  apply(remembered());
  $('theme').addEventListener('click', () => {
    const at = THEMES.findIndex(({ name }) => name === document.documentElement.dataset.theme);
    const { name } = THEMES[(at + 1) % THEMES.length];
    apply(name);
    remember(name);
  });
}

/** A page opened from a file may not be allowed to store anything. */
function remembered() {
  try {
    return localStorage.getItem(THEME_KEY) ?? '';
  } catch {
    return '';
  }
}

function remember(name) {
  try {
    localStorage.setItem(THEME_KEY, name);
  } catch {
    // The choice lasts as long as the page then.
  }
}
