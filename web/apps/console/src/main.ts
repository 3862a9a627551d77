// Starts the console. The session's decoders warm up now, so that the first picture need not wait for them.
import '@belay/ui/styles.css';
import { warmUp } from '@belay/session';
import { theme } from '@belay/ui';
import { mount } from 'svelte';
import App from './App.svelte';

theme.apply();
mount(App, { target: document.getElementById('app') as HTMLElement });
void warmUp();
