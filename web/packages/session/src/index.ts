// The browser's half of Belay's protocols. A page needs `openRemoteSession` and `warmUp`; programs that speak the
// protocols themselves take the lower layers from './wire', './seal', './link', './gateway', './channel' and './screen'.
export * from './interface';
export { type Asked, charterMisfit, type CharterMisfit } from './charter_fit';
export { VIEW_CHANGE, type ViewChange } from './attach_input';
export { holdPointer, holdsPointer, leavePointer } from './relative';
export { newLinkSecret } from './link_secret';
export { openRemoteSession } from './open';
export { prepareGateway } from './prepared';
export { warmUp } from './warm_up';
export { Channel, type ChannelEvents, type ChannelOptions } from './channel';
export { ConsoleSession } from './session';
export { type SessionParts } from './session_parts';
