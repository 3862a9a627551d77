// Public face of the messages package; the catalogues themselves come from `/join` and `/console`.
export { fill, placeholders, type Params } from './fill';
export { formats, type Formats } from './formats';
export { keepLanguage, languages, pickLanguage, type Language } from './language';
