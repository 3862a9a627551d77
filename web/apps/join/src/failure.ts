// What a failed call means to the person at the page.
import type { Failure } from '@belay/api';
import { t } from './text';

export function explain(failure: Failure): string {
  switch (failure.code) {
    case 'pin-not-valid':
      return t('error_pin_not_valid');
    case 'link-not-valid':
      return t('error_link_not_valid');
    case 'bad-name':
      return t('error_name_not_valid');
    case 'slow-down':
      return failure.retryAfter ? t('error_slow_down_seconds', { seconds: failure.retryAfter }) : t('error_slow_down');
    case 'unreachable':
      return t('error_unreachable');
    default:
      return t('error_unexpected');
  }
}
