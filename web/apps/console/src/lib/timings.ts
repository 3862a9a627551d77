// What the overlay of timings shows: a row each, in the order in which a picture travels.
import type { Monitor, ScreenReport } from '@belay/session';
import type { Text } from './text';

export interface Row {
  /** Part of the row's handle. */
  id: string;
  label: string;
  value: string;
  /** The figure itself, for programs; absent where there is none. */
  figure?: string;
}

/** The monitor id that stands for all of them together. */
const WHOLE_DESKTOP = 255;

export interface Shown {
  size: { width: number; height: number };
  monitors: readonly Monitor[];
  monitor: number | undefined;
}

export function rows(report: ScreenReport, shown: Shown, { t, language }: Text): Row[] {
  const number = (value: number, digits: number): string =>
    new Intl.NumberFormat(language, { minimumFractionDigits: digits, maximumFractionDigits: digits }).format(value);
  const time = (id: string, label: string, ms: number | undefined): Row =>
    ms === undefined
      ? { id, label, value: t('timing_none') }
      : { id, label, value: t('path_ms', { ms: number(ms, 1) }), figure: ms.toFixed(2) };
  const { path, applet, fps, bytesPerSecond, films } = report;
  const monitor = shown.monitors.find(({ id }) => id === shown.monitor)?.name;
  const name = shown.monitor === WHOLE_DESKTOP ? t('monitor_all') : (monitor ?? t('monitor'));
  return [
    { id: 'path', label: t('path_label'), value: t(`path_${path.kind}`), figure: path.kind },
    time('round-trip', t('path_round_trip'), path.roundTrip),
    time('wait', t('timing_wait'), applet?.wait),
    time('capture', t('timing_capture'), applet?.capture),
    time('encode', t('timing_encode'), applet?.encode),
    time('send', t('timing_send'), applet?.send),
    time('decode', t('timing_decode'), report.decode),
    time('draw', t('timing_draw'), report.draw),
    { id: 'fps', label: t('timing_fps'), value: number(fps, 0), figure: fps.toFixed(2) },
    { id: 'rate', label: t('timing_rate'), value: t('timing_kb', { kb: number(bytesPerSecond / 1000, 1) }), figure: bytesPerSecond.toFixed() },
    { id: 'monitor', label: t('monitor'), value: t('monitor_option', { name, ...shown.size }), figure: String(shown.monitor ?? '') },
    { id: 'format', label: t('timing_format'), value: films === 0 ? t('timing_exact') : t('timing_video', { films }), figure: films === 0 ? 'exact' : 'av1' },
  ];
}
