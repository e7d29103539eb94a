/** Planted bugs of the primary's cores. */
import type { CoreMutant } from '../core-mutant.ts'

export const PRIMARY_MUTANTS: readonly CoreMutant[] = [
  {
    name: 'a replica that is accepted and refused in turn fills the audit',
    file: 'primary/writes-gate.ts',
    find: 'atMs - last.atMs < REFUSAL_RECORDED_MS',
    replace: 'atMs - last.atMs < 0 * REFUSAL_RECORDED_MS',
    by: 'test/primary/writes-gate.test.ts',
  },
  {
    name: 'denials that nobody can adopt keep all later ones waiting',
    file: 'primary/api/pending-api.ts',
    find: '(a, b) => this.#adoptableFrom(a) - this.#adoptableFrom(b)',
    replace: '(a, b) => 0 * (this.#adoptableFrom(a) - this.#adoptableFrom(b))',
    by: 'test/primary/adoption.test.ts',
  },
  {
    name: 'a page of tokens ends by the number of records of all orgs',
    file: 'primary/store/token-listing.ts',
    find: 'JSON.stringify(this.#byKey.after(keys, last, WALK_ROWS_A_TURN))',
    replace: 'JSON.stringify(Array.from({ length: WALK_ROWS_A_TURN }, (_, n) => keys.length * 0 + last + 1 + n))',
    by: 'test/primary/store/foreign-records.test.ts',
  },
  {
    name: 'a walk that throws at once ends the primary',
    file: 'primary/api/walks.ts',
    find: 'resolve(await walk(walker.signal))\n      } catch (error) {\n        reject(error)',
    replace: 'resolve(await walk(walker.signal))\n      } catch (error) {\n        throw error',
    by: 'test/primary/api/walks.test.ts',
  },
  {
    name: 'a read error while denials are judged escapes from its timer',
    file: 'primary/adoption/adoption.ts',
    find: "const named = sqliteError(error, 'reading the unsigned revocations of a restore')",
    replace: "const named = sqliteError(error, '')\n      if (log.level !== '') throw named",
    by: 'test/primary/adoption.test.ts',
  },
  {
    name: 'a mint after a cut-off may share its millisecond',
    file: 'primary/authority/revoke.ts',
    find: 'if (untilMs >= state.issue.lastMs) state.issue = resumeNonces(untilMs)',
    replace: '',
    by: 'test/primary/authority/revoke.test.ts',
  },
  {
    name: 'a lease is given before it is in the book',
    file: 'primary/freshness/granting.ts',
    find: 'return this.book.grant(holder, { mark, leaseMs }) ? leaseMs : 0',
    replace: 'return leaseMs',
    by: 'test/primary/freshness/granting.test.ts',
  },
  {
    name: 'a purge believes the wall clock',
    file: 'primary/authority/purge.ts',
    find: 'const nowMs = Math.min(requireBelieved(context).earliestMs, deletionClockMs)',
    replace: 'const nowMs = requireBelieved(context).earliestMs + 0 * deletionClockMs',
    by: 'test/primary/authority/purge.test.ts',
  },
  {
    name: 'a secret is read before its turn',
    file: 'primary/api/kek-api.ts',
    find: `const { answer, position } = await writer.submit<KekRotated>({
      kind: 'kek.rotate',`,
    replace: `const early = [...writer.state.thirdParties]
    const { answer, position } = await writer.submit<KekRotated>({
      get kind(): 'kek.rotate' {
        for (const [name, one] of early) writer.state.thirdParties.set(name, one)
        return 'kek.rotate'
      },`,
    by: 'test/primary/api/kek-api.test.ts',
  },
  {
    name: 'replicas are asked for a new key before the rotation has its turn',
    file: 'primary/api/kek-api.ts',
    find: 'replicasWithout: (kekId) => (force ? [] : replicasWithout(kekId).map(({ name }) => name)),',
    replace:
      "replicasWithout: ((names: readonly string[]) => () => names)(force ? [] : replicasWithout('').map(({ name }) => name)),",
    by: 'test/primary/api/kek-api.test.ts',
  },
  {
    name: 'secrets are sealed with the first key of the process',
    file: 'primary/authority/kek.ts',
    find: 'const kek = ring.find((candidate) => candidate.id === id)',
    replace: 'const [kek] = ring',
    by: 'test/primary/authority/kek.test.ts',
  },
  {
    name: 'a private key is used that does not fit its public key',
    file: 'primary/store/third-parties.ts',
    find: 'if (Buffer.compare(x25519PublicKey(privateKey), publicKey) === 0) return { privateKey }',
    replace: 'if (Buffer.compare(x25519PublicKey(privateKey), publicKey) <= 1) return { privateKey }',
    by: 'test/shared/database/tables.test.ts',
  },
  {
    name: 'a primary migrates a disk that nobody has confirmed',
    file: 'primary/node.ts',
    find: 'if (gate.confirmed) writer.migrate()',
    replace: 'void gate.confirmed, writer.migrate()',
    by: 'test/primary/store/migrating-start.test.ts',
  },
  {
    name: 'a migration is no transaction of its own',
    file: 'primary/store/migrate.ts',
    find: 'SET schema = ?, txid = txid + 1,',
    replace: 'SET schema = ?,',
    by: 'test/primary/store/migrate.test.ts',
  },
  {
    name: 'an exchange strips whatever login has the location',
    file: 'primary/authority/exchange.ts',
    find: 'if (Buffer.compare(caveat.cid, ticket) === 0) return',
    replace: 'if (caveat.cid.length > 0 || ticket.length > 0) return',
    by: 'test/primary/authority/exchange.test.ts',
  },
  {
    name: 'an exchange strips a login from whatever token has its ticket',
    file: 'primary/authority/exchange.ts',
    find: 'if (verdict.id === expectedId) return',
    replace: 'if (verdict.id !== expectedId || expectedId.length > 0) return',
    by: 'test/primary/authority/exchange.test.ts',
  },
  {
    name: 'a replica’s word is not limited',
    file: 'primary/authority/adopt.ts',
    find: 'ADOPTED_MAX - (state.adopted.get(from) ?? 0)',
    replace: 'Infinity',
    by: 'test/primary/adoption.test.ts',
  },
  {
    name: 'an operator gives up numbers that an earlier primary may still acknowledge',
    file: 'primary/authority/adopt.ts',
    find: '  requireEpochSettled(state)\n',
    replace: '',
    by: 'test/primary/adoption.test.ts',
  },
  {
    name: 'a cut-off of an org is adopted on a replica’s word',
    file: 'primary/authority/adopt.ts',
    find: "if (row.kind !== 'subject') return 'kind'",
    replace: "if (row.kind !== 'subject') return undefined",
    by: 'test/primary/adoption.test.ts',
  },
  {
    name: 'the end of a token is adopted on a replica’s word',
    file: 'primary/authority/adopt.ts',
    find: 'return { ...named, expiresAt: expiresAt ?? 0 }',
    replace: 'return { ...named, expiresAt: expiresAt ?? named.expiresAt }',
    by: 'test/primary/adoption.test.ts',
  },
  {
    name: 'a cut-off in doubt reaches what the wall clock says',
    file: 'primary/authority/revoke.ts',
    find: '{ nowMs, believed }: DecisionContext,\n): Until {\n  const latestMs = believed === undefined ? issue.lastMs',
    replace:
      '{ nowMs, believed, wallMs }: DecisionContext,\n): Until {\n  const latestMs = believed === undefined ? wallMs',
    by: 'test/primary/authority/doubt.test.ts',
  },
  {
    name: 'a segment is stamped by the wall clock',
    file: 'primary/commit-log/commit-log.ts',
    find: 'this.#encode(ours, stampMs)',
    replace: 'this.#encode(ours, this.#options.clock.wallMs() + 0 * stampMs)',
    by: 'test/primary/commit-log/stamp.test.ts',
  },
  {
    name: 'a segment that a crash left out of the log is stamped by the wall clock',
    file: 'primary/commit-log/recover.ts',
    find: 'capture.encode(transaction, txid, meta.issueClockMs)',
    replace: 'capture.encode(transaction, txid, options.wallMs())',
    by: 'test/primary/commit-log/stamp.test.ts',
  },
  {
    name: 'the clock’s word moves the authority’s time in doubt',
    file: 'primary/freshness/authority-time.ts',
    find: 'if (!time.credible) return state',
    replace:
      'if (!time.credible) return { ...state, aheadMs: Math.max(state.aheadMs, now.wallMs - steadyMs(state, now)) }',
    by: 'test/primary/freshness/authority-time.test.ts',
  },
  {
    name: 'something is minted before the cut-offs that are due',
    file: 'primary/authority/issue.ts',
    find: 'requireNoDueCutOffs(state)',
    replace: '',
    by: 'test/primary/authority/doubt.test.ts',
  },
  {
    name: 'a cut-off that is due reaches its own time after a restart',
    file: 'primary/authority/due-cut-offs.ts',
    find: 'askedSteadyMs === undefined ? nowMs :',
    replace: 'askedSteadyMs === undefined ? steadyMs - 10_000 :',
    by: 'test/primary/authority/doubt.test.ts',
  },
  {
    name: 'a group without room takes its revocations along',
    file: 'primary/commit-log/group-writer.ts',
    find: 'const essential = isDiskFull(error) ? toRefuse.filter(isEssential) : []',
    replace: 'const essential: PendingCommand[] = error === undefined ? [...toRefuse] : []',
    by: 'test/primary/commit-log/without-room.test.ts',
  },
  {
    name: 'a lie about a number hides what another replica refuses by',
    file: 'primary/adoption/adoption.ts',
    find: 'return JSON.stringify([timeline, seq, kind, key])',
    replace: 'return JSON.stringify([timeline, seq, kind === key])',
    by: 'test/primary/adoption.test.ts',
  },
  {
    name: 'a cut-off up to now ends at the last token on record',
    file: 'primary/authority/revoke.ts',
    find: 'Math.max(nowMs, issue.lastMs)',
    replace: 'issue.lastMs',
    by: 'test/primary/authority/revoke.test.ts',
  },
]
