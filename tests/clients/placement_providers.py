"""placement_providers.py PORT COUNT: makes resource providers with inventories through placement's API."""

import http.client
import json
import sys

HEADERS = {"X-Auth-Token": "admin", "OpenStack-API-Version": "placement 1.39",
           "Content-Type": "application/json", "Accept": "application/json",
           "Connection": "close"}


class Api:
    def __init__(self, port):
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)

    def call(self, method, path, body):
        self.connection.request(method, path, json.dumps(body), HEADERS)
        response = self.connection.getresponse()
        data = response.read()
        self.connection.close()
        if response.status not in (200, 201, 204):
            sys.exit("%s %s: %d %s" % (method, path, response.status, data.decode()))


def main(port, count):
    api = Api(port)
    for n in range(count):
        uuid = "%08x-0000-4000-8000-%012x" % (n, n)
        api.call("POST", "/resource_providers", {"name": "host-%d" % n, "uuid": uuid})
        api.call("PUT", "/resource_providers/%s/inventories" % uuid, {
            "resource_provider_generation": 0,
            "inventories": {
                "VCPU": {"total": 16, "allocation_ratio": 4.0},
                "MEMORY_MB": {"total": 65536, "reserved": 512},
                "DISK_GB": {"total": 2000},
            },
        })


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
