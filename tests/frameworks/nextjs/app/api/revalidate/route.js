import { revalidatePath } from 'next/cache'

export async function POST(request) {
  const { path } = await request.json()
  revalidatePath(path)
  return Response.json({ path })
}
