// What a failed call means to the technician.
import type { Failure } from '@belay/api';
import { t } from './text';

export function explain(failure: Failure): string {
  switch (failure.code) {
    case 'sign-in-failed':
      return t('sign_in_failed');
    case 'session-not-waiting':
      return t('error_not_waiting');
    case 'slow-down':
      return failure.retryAfter ? t('error_slow_down_seconds', { seconds: failure.retryAfter }) : t('error_slow_down');
    case 'unreachable':
      return t('error_unreachable');
    case 'signed-out':
      return t('signed_out_idle');
  }
  if (failure.status === 404) return t('error_not_found');
  if (failure.status === 403 || failure.status === 409) return t('error_not_yours');
  return t('error_unexpected');
}
