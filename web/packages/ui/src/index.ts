// Public face of the design system. Styles come by `import '@belay/ui/styles.css'`.
export { default as CopyButton } from './components/CopyButton.svelte';
export { default as Dialog } from './components/Dialog.svelte';
export { default as Icon } from './components/Icon.svelte';
export { default as LanguageSwitch } from './components/LanguageSwitch.svelte';
export { default as Logo } from './components/Logo.svelte';
export { default as Notice } from './components/Notice.svelte';
export { default as StateBadge, type Tone } from './components/StateBadge.svelte';
export { default as ThemeSwitch } from './components/ThemeSwitch.svelte';
export { default as Toasts } from './components/Toasts.svelte';
export { type IconName } from './icons';
export { createText, type Text } from './text.svelte';
export { theme, type Theme } from './theme.svelte';
export { toasts, type ToastTone } from './toasts.svelte';
