/**
 * Puts something around a method of a class, in this process only: that is how the benchmark looks into nodes that are
 * otherwise run as they are. `make` gets the method and returns what takes its place; call it with `.call(this, …)`.
 */
export function wrapMethod<T extends object, K extends keyof T>(
  prototype: T,
  name: K,
  make: (method: T[K]) => T[K],
): void {
  prototype[name] = make(prototype[name])
}
