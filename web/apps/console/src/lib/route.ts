// The console's state in the URL's fragment: what is open survives a reload and can be bookmarked.
export type Route =
  | { at: 'home' }
  | { at: 'session'; id: string }
  | { at: 'past'; id?: string };

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

export function parseRoute(fragment: string): Route {
  const [page, id] = fragment.replace(/^#\/?/, '').split('/');
  const known = id !== undefined && UUID.test(id) ? id.toLowerCase() : undefined;
  if (page === 'session' && known) return { at: 'session', id: known };
  if (page === 'past') return known ? { at: 'past', id: known } : { at: 'past' };
  return { at: 'home' };
}

export function routeHref(route: Route): string {
  switch (route.at) {
    case 'home':
      return '#/';
    case 'session':
      return `#/session/${route.id}`;
    case 'past':
      return route.id ? `#/past/${route.id}` : '#/past';
  }
}
