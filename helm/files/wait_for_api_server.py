"""Wait until the api-server answers, or fail after ten minutes: what an init container of the scheduler runs."""

import os
import sys
import time
import urllib.error
import urllib.parse
import urllib.request

SECONDS, PAUSE, ANSWER = 600, 1, 5

address = urllib.parse.urljoin(os.environ["AIRFLOW__CORE__EXECUTION_API_SERVER_URL"], "/api/v2/version")
end = time.monotonic() + SECONDS
while True:
    try:
        urllib.request.urlopen(address, timeout=ANSWER)  # the chart's own Service
    except (OSError, urllib.error.URLError) as error:
        if time.monotonic() > end:
            sys.exit(f"{address} has not answered for {SECONDS} s: {error}. See the api-server's log")
        time.sleep(PAUSE)
    else:
        break
sys.stdout.write(f"{address} answers\n")
