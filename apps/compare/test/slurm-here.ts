import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, openSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { freePort } from './free-port.js';

const PROGRAMS = ['/usr/sbin/slurmctld', '/usr/sbin/slurmd', '/usr/bin/sbatch'];

/** Why there can be no Slurm on this machine; undefined where there can. */
export const noSlurm = PROGRAMS.every((path) => existsSync(path))
  ? process.getuid?.() === 0
    ? undefined
    : 'slurmd is to be run as root'
  : `Slurm is not installed (${PROGRAMS.join(', ')})`;

/** A cluster of one machine, this one: Debian's slurmctld and slurmd, in a folder of their own and on ports that are free. */
export class SlurmHere {
  /** For the programs that are to submit to it. */
  readonly env: NodeJS.ProcessEnv;
  private readonly folder: string;
  private daemons: ChildProcess[] = [];

  constructor(folder: string) {
    this.folder = folder;
    this.env = { ...process.env, SLURM_CONF: join(folder, 'slurm.conf') };
  }

  /** Starts it. */
  async start(): Promise<void> {
    const { folder, env } = this;
    for (const name of ['state', 'spool']) mkdirSync(join(folder, name), { recursive: true });
    writeFileSync(join(folder, 'slurm.conf'), configuration(folder, await freePort(), await freePort()));
    const daemon = (name: string, ...args: string[]): ChildProcess => {
      const log = openSync(join(folder, `${name}.log`), 'w');
      return spawn(`/usr/sbin/${name}`, ['-D', ...args], { env, stdio: ['ignore', log, log] });
    };
    this.daemons = [daemon('slurmctld'), daemon('slurmd', '-N', 'localhost')];
    for (let tries = 0; tries < 100; tries++) {
      const { stdout } = spawnSync('sinfo', ['--noheader', '--format=%T'], { env, encoding: 'utf8' });
      if (stdout.trim() === 'idle') return;
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
    throw new Error(`Slurm does not come up: see ${folder}`);
  }

  /** Ends it. */
  async stop(): Promise<void> {
    await Promise.all(
      this.daemons.map(async (daemon) => {
        const ended = new Promise((resolve) => daemon.once('exit', resolve));
        daemon.kill();
        await ended;
      }),
    );
  }
}

function configuration(folder: string, controller: number, node: number): string {
  return `ClusterName=here
SlurmctldHost=localhost(127.0.0.1)
SlurmUser=root
SlurmctldPort=${controller}
SlurmdPort=${node}
AuthType=auth/none
CredType=cred/none
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SwitchType=switch/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
MpiDefault=none
ReturnToService=2
StateSaveLocation=${folder}/state
SlurmdSpoolDir=${folder}/spool
SlurmctldPidFile=${folder}/slurmctld.pid
SlurmdPidFile=${folder}/slurmd.pid
SchedulerParameters=batch_sched_delay=0,sched_interval=1,sched_min_interval=0,bf_interval=1
NodeName=localhost NodeAddr=127.0.0.1 CPUs=2 State=UNKNOWN
PartitionName=all Nodes=localhost Default=YES MaxTime=INFINITE State=UP
`;
}
