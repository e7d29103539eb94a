/** The files that read what comes from outside, by where it comes from: a run that does not enter one of them is none. */
import { globSync } from 'node:fs'

export const ROOT: string = new URL('../../', import.meta.url).pathname

const DECODERS: Readonly<Record<string, readonly string[]>> = {
  'tokens and what goes with them': [
    'shared/macaroon/{base64url,bundle,bundle-codec,contents,expiry,format,identifier,portable-base64,text,text-codec,ticket,utf8,v1-packet,v1-reader,v2-reader,v2j-json,v2j-reader}.ts',
    'shared/holder/{arguments,primitives}.ts',
    'shared/macaroon/predicate/{clause,compile,instant,interval,network,path,time,values}.ts',
    'primary/authority/condition.ts',
  ],
  'bytes after the handshake': ['shared/channel/{error-report,framing,hello,intake,json,rpc}.ts'],
  'calls and messages': [
    'shared/verifier/revocation-row.ts',
    'shared/protocol/{bulk,coverage,denials,feed,known-revocations,message,params,revocations,revoke,sign,signed-position,stretch,verify,wal}.ts',
  ],
  'segments and snapshots': ['shared/ltx/{decoder,file-name,header,lz4,page-index,page-order}.ts'],
  'files of a node': [
    'primary/commit-log/log-file.ts',
    'replica/{denials/file,freshness/largest-lease,revocations/journal-records,revocations/records,store/position-record,tables/table-file}.ts',
    'shared/{channel/identity,config/kek,files/small-file,database/revocation-log,sealing}.ts',
    'shared/sqlite/{wal-format,wal-reader}.ts',
  ],
  'the archive': [
    'shared/archive/{epoch-claim,layout,manifest,manifest-state,read-file,signed-document}.ts',
    'shared/archive/s3/{bounds,bucket,client,credentials,parts,refusal,retry,settings,xml}.ts',
  ],
  'configuration and arguments': [
    'ops/arguments/{access,authority-key,duration,moment,restore-target}.ts',
    '{primary,replica}/config.ts',
    'primary/archiver/config.ts',
    'shared/config/{node-config,profile,read-config,suggest}.ts',
    'shared/{ids,position}.ts',
    'shared/channel/{address,peer-id}.ts',
  ],
  'bodies of HTTP': [
    'shared/discharge/{bounded-body,discharger,exchange,location,message}.ts',
    'shared/metrics/metrics-server.ts',
  ],
}

export interface Room {
  readonly room: string
  /** From the root of the repository. */
  readonly files: readonly string[]
}

export function decoderRooms(): readonly Room[] {
  return Object.entries(DECODERS).map(([room, patterns]) => {
    const files = patterns.flatMap((pattern) => {
      const found = globSync(pattern, { cwd: ROOT }).toSorted()
      if (found.length === 0) throw new Error(`there is no decoder ${pattern}`)
      return found
    })
    return { room, files }
  })
}
