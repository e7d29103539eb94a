/** Steps of the tour: start a cluster, mint a token, verify it in every region, attenuate it, and see it refused. */
import { attenuate } from '../../shared/macaroon/attenuate.ts'
import { decodeTokenText, encodeTokenText } from '../../shared/macaroon/text.ts'
import { ORG, READ, type TourCluster, WRITE } from './stage.ts'
import { requireThat, type StepOutcome, type TourStep } from './step.ts'

export const clusterUp: TourStep = {
  title: 'cluster up',
  run: async (stage) => {
    await stage.cluster.start()
    await stage.connect()
    const pids = stage.cluster.nodes.map((node) => `${node.region ?? node.role} pid ${stage.cluster.pidOf(node)}`)
    return { detail: pids.join(', ') }
  },
}

export const orgCreated: TourStep = {
  title: 'org created',
  run: async ({ signer }) => {
    const { org, kid } = await signer.createOrg(ORG)
    return { detail: `${org}, root key ${kid}` }
  },
}

export const tokenMinted: TourStep = {
  title: 'token minted at the primary',
  run: async (stage) => {
    stage.minted = await stage.signer.mint({ org: ORG, subject: 'alice', caveats: ['op in read,write'] })
    return { detail: `${stage.minted.id} for alice` }
  },
}

/** The answer must come from the replica process of that region, whose only source is its own database file. */
export function verifiedIn(region: string): TourStep {
  return {
    title: `verified in ${region}`,
    run: async (stage) => {
      const verdict = await stage.verify(region, stage.minted.token, READ, stage.minted.position)
      requireThat(verdict.ok, verdict.ok ? '' : `refused: ${verdict.message}`)
      const node = stage.cluster.nodes.find((candidate) => candidate.region === region)
      const pid = node === undefined ? undefined : stage.cluster.pidOf(node)
      requireThat(verdict.pid === pid && verdict.region === region, `pid ${verdict.pid} in ${verdict.region} answered`)
      return { detail: `by ${verdict.node}, pid ${pid}, at txid ${verdict.txid} of its own file` }
    },
  }
}

/** No node takes part in the attenuation; the regions only verify its result. */
export const attenuatedOffline: TourStep = {
  title: 'attenuated offline',
  run: async (stage) => {
    const caveats = ['op = read', 'path prefix /photos/']
    stage.attenuated = encodeTokenText(attenuate(decodeTokenText(stage.minted.token), caveats))
    await acceptedEverywhere(stage, stage.attenuated)
    return { detail: `added ${caveats.map((caveat) => `"${caveat}"`).join(', ')}; good for reading in every region` }
  },
}

/** The refusal must name the caveat: a token that is refused for another reason would prove nothing. */
export const wrongAccessRefused: TourStep = {
  title: 'wrong access refused',
  run: async (stage): Promise<StepOutcome> => {
    const verdicts = await Promise.all(stage.regions.map((region) => stage.verify(region, stage.attenuated, WRITE)))
    for (const verdict of verdicts) {
      requireThat(!verdict.ok && verdict.reason === 'caveat_refused', 'writing was not refused by a caveat')
      requireThat(verdict.caveat === 'op = read', `it was refused by ${verdict.caveat}`)
    }
    return { detail: 'op=write, in every region, by the caveat "op = read"' }
  },
}

/** Verifies a token in every region at once. Throws tour_failed if a region refuses it. */
export async function acceptedEverywhere(stage: TourCluster, token: string): Promise<void> {
  const verdicts = await Promise.all(stage.regions.map((region) => stage.verify(region, token, READ)))
  for (const verdict of verdicts) requireThat(verdict.ok, verdict.ok ? '' : `refused: ${verdict.message}`)
}
