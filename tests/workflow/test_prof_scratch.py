import time
from tests.workflow.scripted_activities import *
from tests.workflow.sample_answers import *
from tests.workflow.running import *
from workers.worker import make_worker
async def test_prof(env, worker_client):
    s = Script(ALL_GREEN | {"check_model": ""})
    for _ in range(3):
        t=[time.perf_counter()]
        t.append(0)
        async with serving(worker_client, s):
            t.append(time.perf_counter())
            await run_stage(env.client, UNIT_ONLY); t.append(time.perf_counter())
            await run_stage(env.client, UNIT_ONLY); t.append(time.perf_counter())
            await run_stage(env.client, UNIT_ONLY); t.append(time.perf_counter())
        t.append(time.perf_counter())
        print([round(b-a,3) for a,b in zip(t,t[1:])])
