// Everything that runs without a page, in one module: `npm run bundle -w packages/session` makes dist/session.mjs of it,
// for programs under Node that speak as a console or an applet.
export * from './channel';
export * from './charter';
export * from './direct';
export * from './gateway';
export * from './link';
export * from './paths';
export * from './screen/picture';
export * from './screen/view';
export * from './screen/zstd';
export * from './seal';
export * from './session';
export * from './wire';
