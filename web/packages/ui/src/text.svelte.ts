// The page's words in the reader's language, reactive: a switch changes every text at once.
import { fill, formats, keepLanguage, pickLanguage, type Formats, type Language, type Params } from '@belay/messages';

export interface Text<Keys extends Record<string, string>> {
  readonly language: Language;
  readonly format: Formats;
  set(language: Language): void;
  t<K extends keyof Keys & string>(key: K, ...params: Params<Keys[K]>): string;
}

/** Builds the page's text from its catalogues. `en` decides which keys and placeholders exist. */
export function createText<E extends Record<string, string>>(en: E, de: Record<keyof E, string>): Text<E> {
  const first = pickLanguage();
  let language = $state<Language>(first);
  const format = $derived(formats(language));
  const words = $derived<Record<keyof E, string>>(language === 'de' ? de : en);
  document.documentElement.lang = first;
  return {
    get language() {
      return language;
    },
    get format() {
      return format;
    },
    set(value) {
      language = value;
      keepLanguage(value);
      document.documentElement.lang = value;
    },
    t(key, ...params) {
      return fill(words[key], params[0] as Record<string, string | number> | undefined);
    },
  };
}
