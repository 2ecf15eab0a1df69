#!/bin/sh
# Runs inside of the machine: starts the agent, drives it with the docker CLI, tells each check on a line of its own.
cd /opt/check || exit 1
export PATH=/opt/check:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root
export DOCKER_HOST=unix:///run/agent.sock
DATA=/var/lib/agent

# check NAME FUNCTION: what the function prints is told when it fails.
check() {
	if said=$($2 2>&1); then echo "ok - $1"; else echo "not ok - $1"; echo "$said" | sed 's/^/    /'; fi
}
# is WANTED GOT
is() { [ "$1" = "$2" ] || { echo "wanted: $1"; echo "got: $2"; return 1; }; }
inside() { docker run --rm "$@"; }
start_agent() {
	slipway-agent daemon --data-root $DATA --socket /run/agent.sock 2>>/run/agent.log &
	agent=$!
	tries=0
	until docker version >/dev/null 2>&1; do
		tries=$((tries + 1))
		[ $tries -lt 120 ] || return 1
		sleep 1
	done
}

host_is_v2() { is cgroup2fs "$(stat -f -c %T /sys/fs/cgroup)" && ! grep -q '^cgroup ' /proc/mounts; }
import_image() {
	mkdir -p root/bin root/proc root/sys root/dev root/etc root/tmp && cp busybox root/bin/ &&
		for name in sh true false sleep cat id seq tail mkdir mknod wget httpd head echo ps kill ping grep dd nslookup ls; do ln -sf busybox root/bin/$name; done &&
		printf 'root:x:0:0:root:/root:/bin/sh\n' >root/etc/passwd &&
		tar -C root -cf - . | docker import - busybox
}
exit_code() { inside busybox sh -c 'exit 7'; is 7 $?; }
memory_limit() { is '67108864 0' "$(inside -m 64m --memory-swap 64m busybox sh -c 'echo $(cat /sys/fs/cgroup/memory.max /sys/fs/cgroup/memory.swap.max)')"; }
cpu_limit() { is '50000 100000' "$(inside --cpus 0.5 busybox cat /sys/fs/cgroup/cpu.max)"; }
cpu_weight() { is 20 "$(inside --cpu-shares 512 busybox cat /sys/fs/cgroup/cpu.weight)"; }
cpu_set() { is 1 "$(inside --cpuset-cpus 1 busybox cat /sys/fs/cgroup/cpuset.cpus)"; }
pids_limit() {
	is 12 "$(inside --pids-limit 12 busybox cat /sys/fs/cgroup/pids.max)" &&
		inside --pids-limit 12 busybox sh -c 'for i in $(seq 40); do sleep 3 & done; wait' 2>&1 | grep -q fork
}
out_of_memory() {
	docker run --name greedy -m 32m --memory-swap 32m busybox tail /dev/zero
	is 137 $? && is 'true 137' "$(docker inspect -f '{{.State.OOMKilled}} {{.State.ExitCode}}' greedy)" && docker rm greedy
}
no_out_of_memory() {
	docker run --name modest -m 32m busybox false
	is false "$(docker inspect -f '{{.State.OOMKilled}}' modest)" && docker rm modest
}
update_running() {
	docker run -d --name updated -m 64m busybox sleep 600 && docker update --memory 128m --memory-swap 128m --cpus 0.25 --pids-limit 33 updated &&
		is '134217728 25000 100000 33' "$(docker exec updated sh -c 'echo $(cat /sys/fs/cgroup/memory.max /sys/fs/cgroup/cpu.max /sys/fs/cgroup/pids.max)')" &&
		docker rm -f updated
}
pause() {
	docker run -d --name paused busybox sleep 600 && docker pause paused && is paused "$(docker inspect -f '{{.State.Status}}' paused)" &&
		group=$(cut -d: -f3 /proc/"$(docker inspect -f '{{.State.Pid}}' paused)"/cgroup) && grep -q 'frozen 1' /sys/fs/cgroup"$group"/cgroup.events &&
		docker unpause paused && docker exec paused true && docker rm -f paused
}
stats() {
	docker run -d --name counted busybox sleep 600 &&
		line=$(docker stats --no-stream --format '{{.Name}} {{.PIDs}} {{.MemUsage}}' counted) && echo "$line" && echo "$line" | grep -Eq '^counted 1 [0-9.]+[KM]iB' &&
		! echo "$line" | grep -q ' 0B' && docker rm -f counted
}
exec_joins() {
	docker run -d --name joined -m 64m busybox sleep 600 && docker exec -d joined sleep 500 && sleep 1 &&
		group=$(cut -d: -f3 /proc/"$(docker inspect -f '{{.State.Pid}}' joined)"/cgroup) && is 2 "$(wc -l </sys/fs/cgroup"$group"/cgroup.procs)" &&
		is '0::/' "$(docker exec joined cat /proc/self/cgroup)" && docker rm -f joined
}
group_read_only() { ! inside busybox mkdir /sys/fs/cgroup/mine; }
# The rules for devices are a BPF program here, not a file.
device_refused() {
	said=$(inside busybox sh -c 'mknod /tmp/disk b 254 0 && head -c 1 /tmp/disk' 2>&1)
	echo "$said" | grep -q 'not permitted' || { echo "$said"; return 1; }
}
device_given() { inside --device /dev/vda:/dev/mine:r busybox head -c 1 /dev/mine >/dev/null && ! inside --device /dev/vda:/dev/mine:r busybox dd if=/dev/zero of=/dev/mine bs=1 count=1; }
devices_usual() { inside busybox sh -c 'echo x >/dev/null && head -c 1 /dev/urandom >/dev/null && head -c 1 /dev/zero >/dev/null'; }
privileged_devices() { inside --privileged busybox sh -c 'mknod /tmp/disk b 254 0 && head -c 1 /tmp/disk >/dev/null'; }
stop_escalates() {
	docker run -d --name stubborn busybox sh -c 'trap "" TERM; while :; do sleep 1; done' && docker stop -t 1 stubborn && is 137 "$(docker inspect -f '{{.State.ExitCode}}' stubborn)" &&
		docker rm stubborn
}
all_killed() {
	docker run -d --name family busybox sh -c 'for i in $(seq 20); do sleep 700 & done; sleep 600' && sleep 1 && docker rm -f family && ! pgrep -f 'sleep 700'
}
live_restore() {
	docker run -d --name kept busybox sh -c 'sleep 20; exit 9' && kill -9 $agent && wait $agent 2>/dev/null
	start_agent_again && is running "$(docker inspect -f '{{.State.Status}}' kept)" && is 9 "$(docker wait kept)" && docker rm kept
}
start_agent_again() { start_agent && echo $agent >/run/agent.pid; }
remapped() { is 0 "$(inside --security-opt userns=remap -m 64m busybox id -u)"; }
names() {
	docker network create inner && docker run -d --name server --network inner -p 8081:80 busybox sh -c 'echo hello >/tmp/index.html; httpd -f -h /tmp' && sleep 2 &&
		is hello "$(inside --network inner busybox wget -qO- http://server/)" && is hello "$(busybox wget -qO- http://127.0.0.1:8081/)" && docker rm -f server && docker network rm inner
}
restarts() {
	docker run -d --name again --restart on-failure:2 busybox false && tries=0
	until [ "$(docker inspect -f '{{.RestartCount}} {{.State.Status}}' again)" = '2 exited' ]; do
		tries=$((tries + 1))
		[ $tries -lt 60 ] || { docker inspect again; return 1; }
		sleep 1
	done
	docker rm again
}
nothing_left() {
	is '' "$(docker ps -aq)"
	group=$(find /sys/fs/cgroup -maxdepth 3 -type d -name 'slipway*' -not -path '*/system.slice/*')
	left=$(for g in $group; do find "$g" -name cgroup.events -exec grep -l 'populated 1' {} +; done | grep -v '/slipway-[0-9a-f]*/cgroup.events$')
	is '' "$left"
}

check 'control groups are v2 only' host_is_v2
start_agent || { echo 'not ok - the agent comes up'; tail -50 /run/agent.log; echo end; exit 1; }
echo 'ok - the agent comes up'
check 'docker import' import_image
check 'an exit code is kept' exit_code
check 'limit of memory and swap' memory_limit
check 'limit of processor time' cpu_limit
check 'shares become a weight' cpu_weight
check 'set of processors' cpu_set
check 'limit of processes' pids_limit
check 'out of memory is told' out_of_memory
check 'a plain failure is not out of memory' no_out_of_memory
check 'update of a running container' update_running
check 'pause and unpause' pause
check 'stats' stats
check 'exec joins the group' exec_joins
check 'the group is read-only inside' group_read_only
check 'a device made by itself is refused' device_refused
check 'a device given may be read, not written' device_given
check 'the usual devices work' devices_usual
check 'a privileged container has all devices' privileged_devices
check 'stop escalates' stop_escalates
check 'removal ends every process' all_killed
check 'a user namespace' remapped
check 'names, and a published port' names
check 'restarts' restarts
# Not in a subshell: it replaces the agent.
if live_restore >/run/live 2>&1; then echo 'ok - kill -9 of the daemon loses nothing'; else echo 'not ok - kill -9 of the daemon loses nothing'; sed 's/^/    /' /run/live; fi
check 'no group is left' nothing_left
kill $agent && wait $agent
grep -E 'ERROR|panicked' /run/agent.log | sed 's/^/    agent: /'
echo end
