// Short news that goes away by itself. What the reader must act on belongs in a Notice instead.
export type ToastTone = 'info' | 'success' | 'danger';
export interface Toast { id: number; text: string; tone: ToastTone }

let next = 1;
const list = $state<Toast[]>([]);

export const toasts = {
  get list(): readonly Toast[] {
    return list;
  },
  /** Shows a text for five seconds. */
  show(text: string, tone: ToastTone = 'info'): void {
    const id = next++;
    list.push({ id, text, tone });
    setTimeout(() => toasts.dismiss(id), 5000);
  },
  dismiss(id: number): void {
    const at = list.findIndex((toast) => toast.id === id);
    if (at >= 0) list.splice(at, 1);
  },
};
