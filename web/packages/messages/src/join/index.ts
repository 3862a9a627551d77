// The join page's catalogue in both languages.
export { de } from './de';
export { en } from './en';
