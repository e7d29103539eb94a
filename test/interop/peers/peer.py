"""Runs another implementation of macaroons: one request a line on stdin, one answer a line on stdout, both JSON.

Bytes are hex, macaroons are what the implementation itself reads and writes. `peer.py libmacaroons` binds the C library
by ctypes; `peer.py pymacaroons` imports the Python one.
"""
import ctypes
import ctypes.util
import json
import sys


class Pymacaroons:
    def __init__(self):
        import pymacaroons
        from pymacaroons.serializers import JsonSerializer

        self.lib = pymacaroons
        self.json = JsonSerializer()

    def read(self, text):
        serializer = self.json if text.startswith('{') else None
        return self.lib.Macaroon.deserialize(text, serializer)

    def write(self, macaroon, form):
        macaroon._version = 1 if form == 'v1' else 2
        for caveat in macaroon.caveats:
            caveat._version = macaroon._version
        return macaroon.serialize(self.json if form == 'v2j' else None)

    def create(self, key, identifier, location, caveats, form):
        version = 1 if form == 'v1' else 2
        macaroon = self.lib.Macaroon(location=location, identifier=unhex(identifier), key=unhex(key), version=version)
        for caveat in caveats:
            macaroon.add_first_party_caveat(unhex(caveat))
        return self.write(macaroon, form)

    def attenuate(self, macaroon, caveats, form):
        changed = self.read(macaroon)
        for caveat in caveats:
            changed.add_first_party_caveat(unhex(caveat))
        return self.write(changed, form)

    def third_party(self, macaroon, location, key, ticket, form):
        changed = self.read(macaroon)
        changed.add_third_party_caveat(location, unhex(key), unhex(ticket))
        return self.write(changed, form)

    def bind(self, root, discharge, form):
        return self.write(self.read(root).prepare_for_request(self.read(discharge)), form)

    def verify(self, macaroon, discharges, key, exact):
        verifier = self.lib.Verifier()
        for predicate in exact:
            verifier.satisfy_exact(unhex(predicate))
        try:
            return bool(verifier.verify(self.read(macaroon), unhex(key), [self.read(one) for one in discharges]))
        except Exception:
            # It raises its own exceptions, and those of the libraries below it, for every kind of refusal.
            return False


class Libmacaroons:
    """Version 0.3.0 reads and writes V1 only. A length of 0000 in it never ends: who calls sets a limit of time."""

    def __init__(self):
        lib = ctypes.CDLL(ctypes.util.find_library('macaroons') or 'libmacaroons.so.0')
        data, size, pointer = ctypes.c_char_p, ctypes.c_size_t, ctypes.c_void_p
        error = ctypes.POINTER(ctypes.c_int)
        text = [data, size]
        for name, result, arguments in [
            ('macaroon_create', pointer, text * 3 + [error]),
            ('macaroon_destroy', None, [pointer]),
            ('macaroon_add_first_party_caveat', pointer, [pointer] + text + [error]),
            ('macaroon_add_third_party_caveat', pointer, [pointer] + text * 3 + [error]),
            ('macaroon_prepare_for_request', pointer, [pointer, pointer, error]),
            ('macaroon_verifier_create', pointer, []),
            ('macaroon_verifier_destroy', None, [pointer]),
            ('macaroon_verifier_satisfy_exact', ctypes.c_int, [pointer] + text + [error]),
            ('macaroon_verify', ctypes.c_int, [pointer, pointer] + text + [ctypes.POINTER(pointer), size, error]),
            ('macaroon_serialize_size_hint', size, [pointer]),
            ('macaroon_serialize', ctypes.c_int, [pointer, data, size, error]),
            ('macaroon_deserialize', pointer, [data, error]),
        ]:
            function = getattr(lib, name)
            function.restype, function.argtypes = result, arguments
        self.lib = lib

    def call(self, name, *arguments):
        error = ctypes.c_int()
        result = getattr(self.lib, name)(*arguments, ctypes.byref(error))
        if result is None:
            raise ValueError('%s failed with %d' % (name, error.value))
        return result

    def read(self, text):
        return self.call('macaroon_deserialize', text.encode())

    def write(self, macaroon, form):
        if form != 'v1':
            raise ValueError('libmacaroons 0.3.0 writes V1 only')
        size = self.lib.macaroon_serialize_size_hint(macaroon)
        buffer = ctypes.create_string_buffer(size)
        if self.call('macaroon_serialize', macaroon, buffer, size) != 0:
            raise ValueError('macaroon_serialize failed')
        return buffer.value.decode()

    def add(self, macaroon, caveats):
        for caveat in caveats:
            before, macaroon = macaroon, self.call('macaroon_add_first_party_caveat', macaroon, *sized(unhex(caveat)))
            self.lib.macaroon_destroy(before)
        return macaroon

    def done(self, macaroon, form):
        text = self.write(macaroon, form)
        self.lib.macaroon_destroy(macaroon)
        return text

    def create(self, key, identifier, location, caveats, form):
        parts = sized(location.encode()) + sized(unhex(key)) + sized(unhex(identifier))
        return self.done(self.add(self.call('macaroon_create', *parts), caveats), form)

    def attenuate(self, macaroon, caveats, form):
        return self.done(self.add(self.read(macaroon), caveats), form)

    def third_party(self, macaroon, location, key, ticket, form):
        before = self.read(macaroon)
        parts = sized(location.encode()) + sized(unhex(key)) + sized(unhex(ticket))
        changed = self.call('macaroon_add_third_party_caveat', before, *parts)
        self.lib.macaroon_destroy(before)
        return self.done(changed, form)

    def bind(self, root, discharge, form):
        root, discharge = self.read(root), self.read(discharge)
        bound = self.call('macaroon_prepare_for_request', root, discharge)
        self.lib.macaroon_destroy(root)
        self.lib.macaroon_destroy(discharge)
        return self.done(bound, form)

    def verify(self, macaroon, discharges, key, exact):
        root = self.read(macaroon)
        others = [self.read(one) for one in discharges]
        verifier = self.lib.macaroon_verifier_create()
        for predicate in exact:
            self.call('macaroon_verifier_satisfy_exact', verifier, *sized(unhex(predicate)))
        array = (ctypes.c_void_p * max(len(others), 1))(*others)
        refused = self.call('macaroon_verify', verifier, root, *sized(unhex(key)), array, len(others))
        self.lib.macaroon_verifier_destroy(verifier)
        for one in [root] + others:
            self.lib.macaroon_destroy(one)
        return refused == 0


def unhex(text):
    return bytes.fromhex(text)


def sized(data):
    return (data, len(data))


def main():
    peer = {'libmacaroons': Libmacaroons, 'pymacaroons': Pymacaroons}[sys.argv[1]]()
    print(json.dumps({'ready': True}), flush=True)
    for line in sys.stdin:
        request = json.loads(line)
        try:
            answer = {'value': getattr(peer, request.pop('method'))(**request)}
        except Exception as error:
            answer = {'error': '%s: %s' % (type(error).__name__, error)}
        print(json.dumps(answer), flush=True)


if __name__ == '__main__':
    main()
