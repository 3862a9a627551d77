// Every byte layout of Belay that a browser speaks; the specification is docs/protocol/, the authority core/wire.
export * from './codec';
export * from './encoding';
export * from './gateway';
export * from './input';
export * from './link';
export * from './message';
export * from './right';
export * from './screen';
export * from './seal';
