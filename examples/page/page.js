import { clients, simulate } from '@hmm/model';

const [select, program, button, result] = ['client', 'program', 'run', 'result'].map((id) =>
  document.getElementById(id),
);
for (const { name, title } of clients())
  select.add(new Option(title, name, name === 'nvidia', name === 'nvidia'));

const run = () => {
  const simulation = simulate(program.value, { client: select.value });
  result.textContent =
    simulation.outcome === 'refused'
      ? simulation.problems.map(({ line = 1, message }) => `line ${line}: ${message}`).join('\n')
      : simulation.outcome === 'stopped'
        ? simulation.message
        : `x = ${simulation.report.values.x?.[0]}, ${simulation.report.faults} faults, ${simulation.report.bytes_to_device} bytes to the device`;
};
button.addEventListener('click', run);
run();
