// The console's words.
import { createText } from '@belay/ui';
import { de, en } from '@belay/messages/console';

export const text = createText(en, de);
export const t = text.t;
export type Text = typeof text;
