/** A small file system of its own, to be filled: needs root, and its users say so by their name where there is none. */
import { execFileSync } from 'node:child_process'
import { closeSync, ftruncateSync, mkdirSync, openSync } from 'node:fs'
import { onTestFinished } from 'vitest'

export const canMount: boolean = mountWorks()
export const named: string = canMount ? '' : ' (skipped: mounting a file system needs root)'

function mountWorks(): boolean {
  if (process.getuid?.() !== 0) return false
  try {
    execFileSync('unshare', ['--mount', 'true'], { stdio: 'ignore' })
    return true
  } catch {
    return false
  }
}

export function smallVolume(folder: string, bytes: number): string {
  mkdirSync(folder, { recursive: true })
  execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${bytes}`, 'tmpfs', folder])
  onTestFinished(() => void execFileSync('umount', ['--lazy', folder]))
  return folder
}

/** A file system in a file, with a journal, and without blocks that only root may have. */
export function smallExt4(folder: string, image: string, bytes: number): string {
  mkdirSync(folder, { recursive: true })
  const fd = openSync(image, 'w')
  ftruncateSync(fd, bytes)
  closeSync(fd)
  execFileSync('sh', ['-c', 'mkfs.ext4 -q -m 0 -F "$0"', image], { stdio: 'ignore' })
  execFileSync('mount', ['-o', 'loop', image, folder])
  onTestFinished(() => void execFileSync('umount', ['--lazy', folder]))
  return folder
}

export const canExt4: boolean = canMount && ext4Works()

function ext4Works(): boolean {
  try {
    execFileSync('sh', ['-c', 'command -v mkfs.ext4 && test -e /dev/loop-control'], { stdio: 'ignore' })
    return true
  } catch {
    return false
  }
}
