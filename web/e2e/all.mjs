// The whole walk in one process, so that all tests share one stack: `node --test web/e2e/all.mjs`.
import './direct.test.mjs';
import './server.test.mjs';
import './sign-in.test.mjs';
import './join.test.mjs';
import './invitation.test.mjs';
import './admission.test.mjs';
import './walk.test.mjs';
import './path.test.mjs';
import './film.test.mjs';
import './monitors.test.mjs';
import './ends.test.mjs';
import './hostile.test.mjs';
import './turn.test.mjs';
import './gateway.test.mjs';
import './store.test.mjs';
import './pages.test.mjs';
import './sign-off.test.mjs';
