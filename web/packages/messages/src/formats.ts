// Numbers and times in the reader's language and time zone.
import type { Language } from './language';

export type Formats = ReturnType<typeof formats>;

const locales: Record<Language, string> = { en: 'en-GB', de: 'de-DE' };

/** `timeZone` is for tests; readers get the zone of their own computer. */
export function formats(language: Language, timeZone?: string) {
  const locale = locales[language];
  const time = new Intl.DateTimeFormat(locale, { hour: '2-digit', minute: '2-digit', timeZone });
  const exact = new Intl.DateTimeFormat(locale, { hour: '2-digit', minute: '2-digit', second: '2-digit', timeZone });
  const dateTime = new Intl.DateTimeFormat(locale, { day: 'numeric', month: 'short', year: 'numeric', hour: '2-digit', minute: '2-digit', timeZone });
  const unit = (name: string) => new Intl.NumberFormat(locale, { style: 'unit', unit: name, unitDisplay: 'short' });
  const [seconds, minutes, hours] = [unit('second'), unit('minute'), unit('hour')];
  return {
    /** 14:05 */
    time: (at: Date | string) => time.format(new Date(at)),
    /** 14:05:09 */
    exactTime: (at: Date | string) => exact.format(new Date(at)),
    /** 3 Nov 2026, 14:05 */
    dateTime: (at: Date | string) => dateTime.format(new Date(at)),
    /** 45 sec, 12 min, 2 hr 5 min; from milliseconds, negative counts as none */
    duration(ms: number): string {
      const total = Math.max(0, Math.round(ms / 1000));
      if (total < 60) return seconds.format(total);
      const mins = Math.floor(total / 60);
      if (mins < 60) return minutes.format(mins);
      const rest = mins % 60;
      return rest ? `${hours.format(Math.floor(mins / 60))} ${minutes.format(rest)}` : hours.format(mins / 60);
    },
  };
}
