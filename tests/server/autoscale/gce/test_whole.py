"""The autoscaler on a cloud that pretends, spoken to by Google's own client: from nothing to one and back."""

import asyncio

import pytest
from tests.server.autoscale.gce.conftest import LABEL, URL

from gpugen_server.autoscale import cost, listing, machines
from gpugen_server.autoscale.machine import Machine
from gpugen_server.queue import workers


def _events(world, task):
    return [event["text"] for event in world.queue.events(task) if event["type"] == "phase"]


def test_a_task_brings_a_machine_that_works_idles_and_goes_and_the_next_one_brings_another(world, cloud):
    cloud.seconds = 20
    names = []
    for _ in range(2):
        task = world.queue.submit()
        (vm,) = world.tick()
        names.append(vm.name)
        assert vm.status == "PROVISIONING"
        world.tick(30, times=2)
        assert vm.status == "RUNNING"
        worker = world.boot(vm)
        world.tick(10)
        assert world.queue.task(task)[1] == "queued"
        assert world.work(worker)
        for _ in range(14):  # 700 s, in which it asks for work
            world.alive(worker)
            world.tick(50)
        assert cloud.vms[vm.name].status == "STOPPING"
        world.tick(30, times=2)
        assert world.cloud.vms == {}
        assert world.queue.task(task)[0] == "succeeded"
    assert len(set(names)) == 2
    assert _events(world, task) == [
        "waiting for a worker: none is running",
        "Starting a worker on g2-standard-4 in us-central1-a (place 1 of 3)",
        "The machine is there, its worker is coming up: g2-standard-4 in us-central1-a (place 1 of 3)",
        "next in line",
    ]


def test_a_machine_is_made_from_the_template_with_the_brakes_and_a_token_of_its_own(world, cloud):
    world.configure(gce_machines="n1-standard-4+nvidia-tesla-t4x2:spot", gce_models="emoji,sdxl")
    world.queue.submit()
    (vm,) = world.tick()
    assert vm.body["machineType"] == "zones/us-central1-a/machineTypes/n1-standard-4"
    (gpu,) = vm.body["guestAccelerators"]
    assert (gpu["acceleratorType"], gpu["acceleratorCount"]) == (
        "projects/test-project/zones/us-central1-a/acceleratorTypes/nvidia-tesla-t4",
        2,
    )
    scheduling = vm.body["scheduling"]
    assert scheduling["provisioningModel"] == "SPOT"
    assert scheduling["instanceTerminationAction"] == "DELETE"
    assert scheduling["onHostMaintenance"] == "TERMINATE"
    assert scheduling["maxRunDuration"] == {"seconds": "21600"}
    metadata = vm.metadata
    assert metadata.pop("gpugen-token").startswith("gpg_w_")
    assert metadata == {
        "startup-script": "#!/bin/sh",  # the template's: what overrides it replaces lists whole
        "gpugen-url": URL,
        "gpugen-idle-exit": "600",
        "gpugen-models": "emoji,sdxl",
    }
    assert vm.labels == {"gpugen": LABEL}
    world.boot(vm)
    with pytest.raises(Exception, match="good for one worker"):
        world.queue.database.call(_use_up_and_boot_again, world, vm)


def _use_up_and_boot_again(store, world, vm):
    from gpugen_protocol.worker import SessionRequest
    from gpugen_server.tokens import keeper
    from gpugen_server.web.claims import _register

    store.change("UPDATE tokens SET uses_left = 0 WHERE uses_left = 1")
    opener = keeper.Principal(
        token=store.value("SELECT id FROM tokens WHERE machine IS NOT NULL"), scope="worker", user="x"
    )
    _register(store, SessionRequest(name="thief", version="0"), opener)


def test_a_stock_out_after_the_insert_moves_on_to_the_next_zone_in_the_clouds_own_words(world, cloud):
    cloud.seconds = 5
    cloud.stock_out("us-central1-a")
    task = world.queue.submit()
    assert world.tick() == []
    (vm,) = world.tick(10)
    assert vm.zone == "us-central1-b"
    assert _events(world, task)[-1] == (
        "Starting a worker on g2-standard-4 in us-central1-b (place 2 of 3). Before: g2-standard-4 in "
        "us-central1-a: The zone does not have enough resources available to fulfill the request "
        "(ZONE_RESOURCE_POOL_EXHAUSTED): Google has none to give there now."
    )
    data = world.queue.events(task)[-1]["data"]
    assert (data["zone"], data["number"], data["count"]) == ("us-central1-b", 2, 3)


def test_an_error_without_an_http_status_is_an_error_all_the_same(world, cloud):
    cloud.said = 0
    cloud.stock_out("us-central1-a", {"code": "SOMETHING_NEW", "message": "Nobody has seen this before."})
    world.queue.submit()
    world.tick()
    (vm,) = world.tick(1)
    assert vm.zone == "us-central1-b"


def test_when_every_zone_is_out_the_cell_says_when_the_next_try_is_and_it_is_made(world, cloud):
    for zone in ("us-central1-a", "us-central1-b", "europe-west4-a"):
        cloud.stock_out(zone)
    task = world.queue.submit()
    world.tick(1, times=5)
    state, phase, text = world.queue.task(task)
    assert (state, phase) == ("queued", "queued")
    assert text.startswith("No machine can be had. ")
    assert "The next try is at 12:10 UTC." in text
    inserts = cloud.calls["insert"]
    world.tick(30, times=5)
    assert cloud.calls["insert"] == inserts == 3
    cloud.stock_outs.clear()
    (vm,) = world.tick(600)
    assert vm.zone == "us-central1-a"


def test_a_quota_that_is_used_up_is_seen_before_anything_is_asked_for(world, cloud):
    cloud.quotas["us-central1", "NVIDIA_L4_GPUS"] = (1, 1)
    cloud.quotas["europe-west4", "NVIDIA_L4_GPUS"] = (1, 0)
    world.queue.submit()
    (vm,) = world.tick()
    assert vm.zone == "europe-west4-a"
    assert cloud.calls["insert"] == 1


def test_a_quota_refused_at_the_insert_blocks_the_region_or_all_of_it(world, cloud):
    cloud.fail("insert", status=403, reason="quotaExceeded", message="Quota 'NVIDIA_L4_GPUS' exceeded.")
    task = world.queue.submit()
    world.tick()
    (vm,) = world.tick(1)
    assert vm.zone == "europe-west4-a"
    assert "Quota 'NVIDIA_L4_GPUS' exceeded (quotaExceeded)" in world.queue.task(task)[2]


def test_a_quota_of_all_regions_stops_everything_for_a_while(world, cloud):
    cloud.fail("insert", status=403, reason="quotaExceeded", message="Quota 'GPUS_ALL_REGIONS' exceeded.")
    task = world.queue.submit()
    world.tick(1, times=5)
    assert cloud.calls["insert"] == 1
    assert "GPUS_ALL_REGIONS" in world.queue.task(task)[2]


def test_a_missing_right_is_named_with_where_to_look_and_tried_again_later(world, cloud):
    message = "Required 'compute.instances.create' permission for 'projects/test-project'"
    cloud.fail("insert", status=403, reason="forbidden", message=message)
    task = world.queue.submit()
    world.tick(1, times=5)
    text = world.queue.task(task)[2]
    assert message in text
    assert "deploy/gcp/README.md" in text
    assert cloud.calls["insert"] == 1
    world.tick(300)
    assert len(world.running) == 1


def test_a_template_that_is_not_there_is_no_mystery(world):
    world.configure(gce_template="gpugen-wroker")
    task = world.queue.submit()
    world.tick(1, times=2)
    assert "gpugen-wroker' was not found" in world.queue.task(task)[2]


@pytest.mark.parametrize("when", ["before", "after"])
def test_an_insert_whose_answer_is_lost_makes_one_machine_that_can_introduce_itself(world, cloud, when):
    cloud.seconds = 20
    cloud.fail("insert", cut=when)
    task = world.queue.submit()
    world.tick()
    assert "no clear answer" in world.queue.task(task)[2]
    world.tick(5, times=10)
    (vm,) = world.running
    worker = world.boot(vm)
    world.tick(5)
    assert world.work(worker)


def test_a_cloud_that_has_a_bad_day_is_asked_again_and_nothing_is_doubled(world, cloud):
    for _ in range(3):
        cloud.fail("insert", status=503, reason="backendError", message="Try again.")
    for _ in range(2):
        cloud.fail("list", status=500, reason="internalError", message="Oh.")
    world.queue.submit()
    world.tick(5, times=10)
    assert len(world.running) == 1
    assert len(cloud.vms) == 1


def test_a_server_that_is_killed_before_it_asks_asks_after_its_restart(world, cloud):
    world.queue.submit()
    scaler = world.start()
    real = world.provider.start

    async def killed(machine, token):
        raise KeyboardInterrupt

    world.provider.start = killed
    with pytest.raises(KeyboardInterrupt):
        asyncio.run(scaler.reconcile())
    assert cloud.vms == {}
    assert real
    world.start()
    (vm,) = world.tick()
    assert vm.name == world.queue.database.call(machines.present, "gce")[0].name
    world.boot(vm)


def test_a_machine_that_the_console_deleted_is_missed_and_replaced(world, cloud):
    world.queue.submit()
    (vm,) = world.tick()
    world.tick(10)
    cloud.vanish(vm.name)
    (other,) = world.tick(70, times=2)
    assert other.name != vm.name


def test_a_list_that_is_late_is_no_end(world, cloud):
    world.queue.submit()
    (vm,) = world.tick()
    world.boot(vm)
    labels = vm.body.pop("labels")
    vm.body["labels"] = {}
    world.tick(70)
    assert list(cloud.vms) == [vm.name]
    vm.body["labels"] = labels
    assert world.tick(1) == [vm]


def test_a_spot_machine_that_is_taken_back_gives_its_task_to_the_next_one_at_once(world, cloud):
    task = world.queue.submit()
    (vm,) = world.tick()
    worker = world.boot(vm)
    world.queue.claim(worker)
    assert world.queue.task(task)[0] == "running"
    cloud.preempt(vm.name)
    (other,) = world.tick(5)
    assert other.name != vm.name
    assert world.queue.task(task)[0] == "queued"
    assert "its machine has ended; waiting for another" in _events(world, task)
    assert world.work(world.boot(other))


def test_a_worker_that_never_comes_costs_one_boot_and_then_a_pause_that_grows(world, cloud):
    task = world.queue.submit()
    world.tick(60, times=18)
    assert cloud.vms == {}
    assert (
        "The machine's worker did not show up within 900 s; trying again in 60 s."
        in world.queue.task(task)[2]
    )
    started = cloud.calls["insert"]
    world.tick(60, times=60)
    assert cloud.calls["insert"] - started <= 4


def test_workers_that_never_take_the_task_that_waits_cost_pauses_that_grow(world, cloud):
    task = world.queue.submit()
    workers = {}
    for _ in range(160):
        for vm in world.tick(60):
            if vm.name not in workers:
                workers[vm.name] = (world.boot(vm), world.clock())
            worker, since = workers[vm.name]
            world.alive(worker)
            if world.clock() - since >= 600:
                cloud.power_off(vm.name)
    assert 3 <= cloud.calls["insert"] <= 8
    assert "its worker had done no task yet" in "".join(_events(world, task))


@pytest.mark.parametrize("claims", [False, True])
def test_workers_that_come_and_die_before_they_did_a_task_cost_pauses_that_grow(world, cloud, claims):
    tasks = [world.queue.submit() for _ in range(3)]
    for _ in range(60):
        for vm in world.tick(60):
            worker = world.boot(vm)
            if claims:
                world.queue.claim(worker)
            cloud.power_off(vm.name)
    assert 3 <= cloud.calls["insert"] <= 7
    text = world.queue.task(tasks[-1])[2]
    assert text.startswith("The machine has stopped, or was stopped: its worker had done no task yet;")


def test_a_machine_that_ended_and_cannot_be_deleted_keeps_no_other_from_coming(world, cloud):
    world.queue.submit()
    (vm,) = world.tick()
    world.work(world.boot(vm))
    cloud.power_off(vm.name)
    world.tick(5)
    cloud.fail(
        "delete", status=400, reason="invalid", message="Resource cannot be deleted if it's protected."
    )
    world.queue.submit()
    assert world.tick(5) != [vm]
    assert len(world.running) == 1
    assert vm.status == "TERMINATED"


def test_a_disk_with_which_no_worker_came_up_is_not_kept(world, cloud):
    world.configure(gce_keep_stopped=True)
    world.queue.submit()
    (vm,) = world.tick()
    world.tick(5)
    cloud.power_off(vm.name)
    world.tick(5, times=2)
    assert cloud.vms == {}


def test_metadata_that_somebody_changed_at_the_same_moment_are_read_and_written_anew(world, cloud):
    world.configure(gce_keep_stopped=True)
    world.queue.submit()
    (vm,) = world.tick()
    world.work(world.boot(vm))
    cloud.power_off(vm.name)
    world.tick(5, times=2)
    changed = "Supplied fingerprint does not match current metadata fingerprint."
    cloud.fail("setMetadata", status=412, reason="conditionNotMet", message=changed)
    task = world.queue.submit()
    world.tick(5)
    assert "Supplied fingerprint does not match" in world.queue.task(task)[2]
    assert world.tick(5) == [vm]
    assert world.work(world.boot(vm))


def test_an_operation_that_may_not_be_looked_at_now_is_not_taken_for_a_forgotten_one(world, cloud):
    cloud.seconds = 20
    world.queue.submit()
    (vm,) = world.tick()
    del cloud.vms[vm.name]  # it is in no list yet
    cloud.fail("operation", status=429, reason="rateLimitExceeded", message="Slow down.")
    world.tick(5)
    cloud.vms[vm.name] = vm
    assert world.tick(20) == [vm]
    assert cloud.calls["insert"] == 1


def test_a_machine_that_cannot_be_deleted_keeps_no_other_from_coming(world, cloud):
    world.configure(max_workers=2)
    world.queue.submit()
    (vm,) = world.tick()
    world.work(world.boot(vm))
    for _ in range(5):
        world.tick(50)  # it hangs, and is to be deleted
        cloud.fail("delete", status=403, reason="forbidden", message="Required 'compute.instances.delete'")
    world.queue.submit()
    world.tick(50)
    assert len(cloud.vms) == 2
    cloud.faults.clear()


def test_a_list_that_is_forbidden_is_told_with_where_to_look(world, cloud):
    cloud.fail("list", status=403, reason="forbidden", message="Required 'compute.instances.list'")
    task = world.queue.submit()
    world.tick()
    assert "Required 'compute.instances.list' (forbidden): the server's Google" in world.queue.task(task)[2]


def test_without_credentials_the_cell_says_what_google_says(world, monkeypatch, tmp_path):
    world.configure(gce_api_endpoint="")
    monkeypatch.setenv("NO_GCE_CHECK", "true")  # nobody is asked whether this is a machine of Google's
    monkeypatch.setenv("CLOUDSDK_CONFIG", str(tmp_path))
    monkeypatch.delenv("GOOGLE_APPLICATION_CREDENTIALS", raising=False)
    task = world.queue.submit()
    world.tick()
    assert "Your default credentials were not found" in world.queue.task(task)[2]
    world.tick(5)


def test_a_silent_worker_costs_its_machine(world, cloud):
    world.queue.submit()
    (vm,) = world.tick()
    world.work(world.boot(vm))
    world.tick(60, times=5)
    assert cloud.vms == {}


def test_the_cloud_itself_ends_a_machine_when_nobody_does(world, cloud, clock):
    world.queue.submit()
    world.tick()
    clock.now += 7 * 3600
    assert world.running == []


def test_machines_that_nobody_knows_are_removed_and_those_of_other_servers_left_alone(world, cloud):
    world.queue.submit()
    (vm,) = world.tick()
    world.boot(vm)
    cloud.vms["other"] = type(vm)("other", vm.zone, {**vm.body, "labels": {"gpugen": "other"}}, "RUNNING")
    cloud.vms["stray"] = type(vm)("stray", vm.zone, {**vm.body}, "RUNNING")
    world.tick(5, times=2)
    assert set(cloud.vms) == {vm.name, "other"}


def test_a_machine_that_powered_itself_off_is_deleted_with_its_disk(world, cloud):
    world.queue.submit()
    (vm,) = world.tick()
    world.work(world.boot(vm))
    cloud.power_off(vm.name)
    world.tick(5, times=2)
    assert cloud.vms == {}


def test_with_a_disk_that_is_kept_the_next_start_wakes_the_same_machine(world, cloud):
    world.configure(gce_keep_stopped=True)
    cloud.seconds = 5
    world.queue.submit()
    (vm,) = world.tick()
    world.tick(10)
    world.work(world.boot(vm))
    first = vm.metadata["gpugen-token"]
    cloud.power_off(vm.name)
    world.tick(5, times=3)
    assert (list(cloud.vms), world.running) == ([vm.name], [])
    task = world.queue.submit()
    world.tick(5)
    assert "which was stopped" in world.queue.task(task)[2]
    world.tick(5, times=3)
    assert [each.name for each in world.running] == [vm.name]
    assert vm.metadata["gpugen-token"] != first
    assert vm.metadata["startup-script"] == "#!/bin/sh"
    assert world.work(world.boot(vm))


def test_a_machine_that_is_woken_finds_what_the_template_says_now(world, cloud):
    world.configure(gce_keep_stopped=True)
    world.queue.submit()
    (vm,) = world.tick()
    world.work(world.boot(vm))
    cloud.power_off(vm.name)
    world.tick(5, times=3)
    cloud.template["metadata"]["items"] = [{"key": "startup-script", "value": "a newer one"}]
    world.queue.submit()
    world.tick(5, times=2)
    assert [each.name for each in world.running] == [vm.name]
    assert vm.metadata["startup-script"] == "a newer one"
    assert vm.metadata["gpugen-token"]


def test_a_kept_machine_that_somebody_deleted_is_no_obstacle(world, cloud):
    world.configure(gce_keep_stopped=True)
    world.queue.submit()
    (vm,) = world.tick()
    world.work(world.boot(vm))
    cloud.power_off(vm.name)
    world.tick(5, times=2)
    world.queue.submit()
    cloud.vms.clear()  # after the last look at it
    world.provider.observe = lambda machines: _nothing_new()
    world.tick()
    del world.provider.observe
    (other,) = world.tick(5, times=2)
    assert other.name != vm.name


async def _nothing_new():
    return {}


def test_up_to_so_many_machines_and_the_idle_one_goes_first(world, cloud):
    world.configure(max_workers=3, gce_zones="us-central1-a")
    tasks = [world.queue.submit() for _ in range(5)]
    vms = world.tick(1)
    assert len(vms) == 3
    at_work = [world.boot(vm) for vm in vms]
    for worker in at_work[1:]:
        world.work(worker)
    world.queue.claim(at_work[0])
    world.work(at_work[1])
    assert [world.queue.task(task)[0] for task in tasks].count("succeeded") == 3
    for _ in range(13):
        for worker in at_work:
            world.alive(worker)
        world.tick(60)
    assert [vm.name for vm in world.running] == [vms[0].name]
    with world_sees(world) as shown:
        assert [each.state for each in shown] == ["serving"]


def test_no_machine_comes_for_a_model_that_none_would_serve(world, cloud):
    world.configure(gce_models="emoji, sdxl-turbo")
    strange = world.queue.submit("sdxl")
    world.tick(1)
    assert world.queue.events(strange)[-1]["error"]["code"] == "model_missing"
    assert cloud.calls["insert"] == 0
    task = world.queue.submit("emoji")
    assert len(world.tick(1)) == 1
    assert world.queue.task(task)[0] == "queued"


def test_two_models_end_with_a_machine_each(world):
    world.configure(max_workers=2)
    for _ in range(6):
        world.queue.submit("emoji")
        world.queue.submit("sdxl")
    at_work = [world.boot(vm) for vm in world.tick(1)]
    drawn = {worker: [world.work(worker)] for worker in at_work}
    for _ in range(5):
        for worker, models in drawn.items():
            models.append(world.work(worker, models[-1]))
    assert [set(models) for models in drawn.values()] == [{"emoji"}, {"sdxl"}]


class world_sees:
    """The machines as users see them."""

    def __init__(self, world):
        self.world = world

    def __enter__(self):
        return self.world.queue.database.call(listing.present)

    def __exit__(self, *_):
        return None


def test_the_cost_of_the_day_counts_what_ran_and_a_limit_stops_the_next_start(world, cloud):
    world.max_cost = 0.30
    world.queue.submit()
    (vm,) = world.tick()
    world.tick(1)
    worker = world.boot(vm)
    (lease,) = world.queue.claim(worker)
    for _ in range(30):
        world.alive(worker)
        world.tick(60)
    world.finish(lease.id, worker)
    found = world.queue.database.call(cost.summary, 0.30)
    assert found.today == pytest.approx(0.71 / 2, rel=0.05)
    assert found.per_task == pytest.approx(found.today, rel=0.01)
    cloud.power_off(vm.name)
    task = world.queue.submit()
    world.tick(5, times=2)
    assert world.running == []
    assert "the limit of a day is $0.30: none is started before midnight UTC" in world.queue.task(task)[2]


def test_what_only_the_template_knows_is_left_to_it_and_its_price_looked_up_there(world):
    world.configure(gce_machines="")
    world.queue.submit()
    (vm,) = world.tick()
    assert "machineType" not in vm.body
    assert "provisioningModel" not in vm.body["scheduling"]
    (machine,) = world.queue.database.call(machines.present, "gce")
    assert machine.hourly == pytest.approx(0.19)


def test_users_see_machines_that_come_where_they_come(world):
    world.queue.submit()
    (vm,) = world.tick()
    (shown,) = world.queue.database.call(listing.present)
    assert (shown.name, shown.state) == (vm.name, "asked")
    assert shown.text == "g2-standard-4 in us-central1-a (place 1 of 3)"
    world.tick(1)
    assert world.queue.database.call(listing.present)[0].state == "up"
    worker = world.boot(vm)
    assert world.queue.database.call(listing.present)[0].worker == worker
    assert [each.state for each in world.queue.database.call(workers.listing, 0.0, None)] == ["idle"]


def test_an_old_place_in_the_list_is_still_understood(world):
    world.start()
    machine = Machine(id="a", name="gpugen-a", place="asia-east1-a/9", operation="gone", asked_at=1.0)
    asyncio.run(world.provider.observe([machine]))
    assert str(world.provider._offer(machine)) == "g2-standard-4 in asia-east1-a"
