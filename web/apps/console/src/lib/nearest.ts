// The gateway that the next session will most likely use, so that it can be connected to before it is needed.
import { prepareGateway } from '@belay/session';

/** Of the last session; before the first one, the server that this page came from. */
let address = location.origin;

export const nearest = {
  heard(gateways: readonly string[]): void {
    address = gateways[0] ?? address;
  },
  prepare(): void {
    prepareGateway(address);
  },
};
