// Which language a reader gets: the stored choice, else the first of the browser's languages we speak.
export type Language = 'en' | 'de';

export const languages: readonly { code: Language; name: string }[] = [
  { code: 'en', name: 'English' },
  { code: 'de', name: 'Deutsch' },
];

const KEY = 'belay.language';

export function pickLanguage(wishes: readonly string[] = navigator.languages ?? [navigator.language], stored = readStored()): Language {
  for (const wish of [stored ?? '', ...wishes]) {
    const code = wish.toLowerCase().split('-')[0];
    const found = languages.find((entry) => entry.code === code);
    if (found) return found.code;
  }
  return 'en';
}

export function keepLanguage(language: Language): void {
  try {
    localStorage.setItem(KEY, language);
  } catch {
    // storage refused by the browser: the choice holds until the page is closed
  }
}

function readStored(): string | null {
  try {
    return localStorage.getItem(KEY);
  } catch {
    return null; // storage refused by the browser: its own language decides
  }
}
