import { describe, expect, test } from 'vitest'
import { judgeCluster, type StatusVerdict } from '../../../ops/status/verdict.ts'
import { ALARMS } from '../../../shared/alarms.ts'
import { alarm, cluster, NOW_MS, primary, replica, silent, withoutLease } from './cluster.ts'

const verdict = (of: Parameters<typeof cluster>[0]): StatusVerdict => judgeCluster(cluster(of), NOW_MS)

describe('a cluster that serves', () => {
  test('is up, with the bound, and nothing to do', () => {
    expect(verdict({})).toEqual({
      health: 'up',
      message: 'ALL 2 REGIONS ANSWER, revocations bind within 5.1 s',
      next: 'nothing to do',
    })
  })

  test('has words of its own for one region and for none', () => {
    expect(verdict({ replicas: [replica('fra')] }).message).toMatch(/^THE ONLY REGION ANSWERS, /)
    expect(verdict({ replicas: [] })).toMatchObject({
      health: 'up',
      message: expect.stringMatching(/^THE PRIMARY TAKES/),
    })
  })

  test('stays up with a warning, and names what to do about it', () => {
    const warned = verdict({ primary: primary({ alarms: [alarm('log_blocked')] }) })
    expect(warned).toMatchObject({ health: 'up', next: ALARMS.log_blocked.action })
  })
})

describe('a total outage', () => {
  test('is down, with the times since which the primary is away and the regions are unavailable', () => {
    const [heard, ended] = [NOW_MS - 8_000, NOW_MS - 3_000]
    const lost = [alarm('lease_ran_out', ended)]
    const replicas = [withoutLease('fra', NOW_MS - heard, lost), withoutLease('sin', NOW_MS - heard + 500, lost)]
    expect(verdict({ primary: silent(primary()), replicas })).toEqual({
      health: 'down',
      message:
        'DOWN: the primary has not been reached since 14:01:52 UTC; fra and sin answer unavailable since 14:01:57 UTC',
      next: 'start the primary at 10.0.0.1:7400, or mend the network to it (RUNBOOK, "The primary is down")',
    })
  })

  test('has no time for a lease that has only just ended, and a date for one of another day', () => {
    const day = 86_400_000
    const recent = verdict({ primary: silent(primary()), replicas: [withoutLease('fra', 6_000)] })
    expect(recent.message).toMatch(/; fra answers unavailable$/)
    const old = verdict({
      primary: silent(primary()),
      replicas: [withoutLease('fra', day, [alarm('lease_ran_out', NOW_MS - day)])],
    })
    expect(old.message).toContain('fra answers unavailable since 2026-11-02 14:02:00 UTC')
  })

  test('of the network of this machine is one sentence, and not one a node', () => {
    const nobody = verdict({ primary: silent(primary()), replicas: [silent(replica('fra')), silent(replica('sin'))] })
    expect(nobody).toMatchObject({ health: 'down', message: 'DOWN: none of the 3 nodes was reached from here' })
    expect(nobody.next).toBe('check the network of this machine, then the primary at 10.0.0.1:7400')
  })

  test('is down although the primary answers, if it grants no lease', () => {
    const replicas = [withoutLease('fra', 9_000), withoutLease('sin', 9_000)]
    const blocked = verdict({ primary: primary({ alarms: [alarm('revocations_blocked')] }), replicas })
    expect(blocked).toMatchObject({ health: 'down', message: expect.stringMatching(/fra and sin .* 1 critical alarm/) })
    expect(blocked.next).toBe(ALARMS.revocations_blocked.action)
  })
})

describe('a cluster in part', () => {
  test('says which region answers and which does not', () => {
    const lost = verdict({ replicas: [withoutLease('fra', 9_000), replica('sin')] })
    expect(lost.health).toBe('degraded')
    expect(lost.message).toBe('DEGRADED: fra answers unavailable; sin answers, revocations bind within 5.1 s')
    expect(lost.next).toBe(ALARMS.lease_ran_out.action)
    expect(verdict({ replicas: [silent(replica('fra')), replica('sin')] }).message).toMatch(
      /fra is not reached from here/,
    )
  })

  test('does not call a primary down that the replicas hear', () => {
    const away = verdict({ primary: silent(primary()) })
    expect(away.message).toMatch(/^DEGRADED: the primary is not reached from here; fra and sin answer, /)
    expect(away.next).toContain('the replicas hear it')
  })

  test('counts the last seconds of the leases of a primary that has just gone', () => {
    const stream = { phase: 'waiting', error: 'no answer' } as const
    const replicas = [replica('fra', { stream }), replica('sin', { stream })]
    const going = verdict({ primary: silent(primary()), replicas })
    expect(going.message).toMatch(/since 14:01:59 UTC; fra and sin answer until the lease ends, in 4\.8 s$/)
  })

  test('names writes that are not open, and what opens them', () => {
    const full = verdict({ primary: primary({ writes: 'disk full' }) })
    expect(full).toMatchObject({ health: 'degraded', next: ALARMS.disk_full.action })
    expect(full.message).toContain('the primary takes no writes (disk full)')
  })

  test.each([
    ['revocation_unknown', { alarms: [alarm('revocation_unknown')] }],
    ['clock_doubt', { freshness: { boundMs: 5_101, leaseMs: 4_000, ageMs: 1, clockDoubt: 'it jumped' } }],
  ] as const)('counts a replica with a lease as unavailable for %s', (code, of) => {
    const odd = verdict({ replicas: [replica('fra', of), replica('sin')] })
    expect(odd).toMatchObject({ health: 'degraded', next: ALARMS[code].action })
    expect(odd.message).toContain('fra answers unavailable')
  })

  test('is degraded by a spare replica away, by one only the primary knows, by a critical alarm', () => {
    const spare = verdict({ replicas: [replica('fra'), silent(replica('fra'))] })
    expect(spare.message).toContain('one replica of fra, at 10.0.1.1:7400, is not reached from here')
    const link = { name: 'iad-1', peerId: 'r-iad', revocations: false }
    const unknown = verdict({ primary: primary({ replicas: [link] } as unknown as Parameters<typeof primary>[0]) })
    expect(unknown.message).toContain('iad-1, which this profile does not name, is away')
    const alarmed = verdict({ primary: primary({ alarms: [alarm('durability_degraded')] }) })
    expect(alarmed).toMatchObject({ health: 'degraded', next: ALARMS.durability_degraded.action })
    expect(alarmed.message).toContain('1 critical alarm (durability_degraded)')
  })

  test('does not call a primary silent that answers as somebody else', () => {
    const other = verdict({ primary: silent(primary(), 'peer_mismatch') })
    expect(other.message).toContain('the primary answers otherwise')
  })
})
