import {played, oneKernel, thirds, PAGES, THIRD} from './play.js';
import {Streaming, UniformRandom, Skewed} from '@hmm/workload/patterns';
const show=(name,p)=>console.log(name, (p.accesses/p.ms/1000).toFixed(2),'M acc/s', (p.movedPages/p.ms/1000).toFixed(2),'M pages/s', (p.ms*1000/p.faults).toFixed(2),'us/fault', JSON.stringify(p));
const w = process.argv[2];
if(w==='res'){ for (let i=0;i<2;i++){
show('resident seq', played(oneKernel(PAGES,new Streaming({pages:PAGES,passes:100})),4096));
show('resident rnd', played(oneKernel(PAGES,new UniformRandom({pages:PAGES,accesses:20e6})),4096));
show('resident local', played(oneKernel(2048,new UniformRandom({pages:2048,accesses:20e6})),4096));}}
if(w==='thirds'){ const n=Number(process.argv[3]??600000); const l=Number(process.argv[4]??8448); show('thirds', played(oneKernel(PAGES,thirds(n),l),512)); 
show('seq', played(oneKernel(PAGES,new Streaming({pages:PAGES,passes:4}),l),512));
show('skew', played(oneKernel(PAGES,new Skewed({pages:PAGES,accesses:n,exponent:4}),l),512));
show('uni', played(oneKernel(PAGES,new UniformRandom({pages:PAGES,accesses:n}),l),512));}
if(w==='uni'){ const n=Number(process.argv[3]??600000); show('uni', played(oneKernel(PAGES,new UniformRandom({pages:PAGES,accesses:n}),8448),512));}
