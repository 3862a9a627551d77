// Light, dark, or as the system wishes. The choice is kept in localStorage and put on the root element.
export type Theme = 'system' | 'light' | 'dark';

const KEY = 'belay.theme';

function stored(): Theme {
  try {
    const value = localStorage.getItem(KEY);
    return value === 'light' || value === 'dark' ? value : 'system';
  } catch {
    return 'system'; // storage refused by the browser: the system's wish is a good answer
  }
}

let current = $state<Theme>(stored());

function apply(): void {
  if (current === 'system') delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = current;
}

export const theme = {
  get current(): Theme {
    return current;
  },
  set(value: Theme): void {
    current = value;
    try {
      if (value === 'system') localStorage.removeItem(KEY);
      else localStorage.setItem(KEY, value);
    } catch {
      // storage refused: the choice holds until the page is closed
    }
    apply();
  },
  /** Puts the stored choice on the page; call before the first paint. */
  apply,
};
