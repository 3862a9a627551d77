// Where the technician is in the console, following the address bar.
import { parseRoute, routeHref, type Route } from './route';

let route = $state<Route>(parseRoute(location.hash));
window.addEventListener('hashchange', () => (route = parseRoute(location.hash)));

export const here = {
  get route(): Route {
    return route;
  },
  go(to: Route): void {
    location.hash = routeHref(to);
    // Now, and not when the browser gets round to saying so.
    route = parseRoute(location.hash);
  },
};
