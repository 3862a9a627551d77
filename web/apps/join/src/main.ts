// Starts the join page.
import '@belay/ui/styles.css';
import { theme } from '@belay/ui';
import { mount } from 'svelte';
import App from './App.svelte';

theme.apply();
mount(App, { target: document.getElementById('app') as HTMLElement });
