// What a peer connection's statistics say of its pair of candidates. Browsers name it in different ways.

export interface Entry {
  id: string;
  type: string;
  selectedCandidatePairId?: string;
  localCandidateId?: string;
  remoteCandidateId?: string;
  candidateType?: string;
  protocol?: string;
  selected?: boolean;
  nominated?: boolean;
  state?: string;
}

interface End {
  type: string;
  protocol: string;
}

export interface Findings {
  /** The pair in use; `undefined`: none is, as far as known. */
  pair: { local: End; remote: End } | undefined;
}

export function findings(report: { forEach(act: (entry: Entry) => void): void } | undefined): Findings {
  const entries = new Map<string, Entry>();
  report?.forEach((entry) => entries.set(entry.id, entry));
  const all = [...entries.values()];
  const named = all.find(({ type, selectedCandidatePairId }) => type === 'transport' && selectedCandidatePairId !== undefined);
  const pair =
    entries.get(named?.selectedCandidatePairId ?? '') ??
    all.find(({ type, selected }) => type === 'candidate-pair' && selected === true) ??
    all.find(({ type, nominated, state }) => type === 'candidate-pair' && nominated === true && state === 'succeeded');
  const [local, remote] = [end(entries.get(pair?.localCandidateId ?? '')), end(entries.get(pair?.remoteCandidateId ?? ''))];
  return { pair: local === undefined || remote === undefined ? undefined : { local, remote } };
}

function end(entry: Entry | undefined): End | undefined {
  if (entry?.candidateType === undefined) return undefined;
  return { type: entry.candidateType, protocol: entry.protocol ?? 'udp' };
}
